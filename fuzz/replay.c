/* SPDX-License-Identifier: MIT */
/*
 * replay.c - main() of the fuzz targets without libFuzzer: runs the target on each
 * file that is named, or is in a folder that is named, and on each beginning of it.
 * That needs no clang, and so the corpus is an ordinary test.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fuzz.h"

/* Beginnings are tried up to here: the work grows with the square. */
#define BEGINNINGS_MAX 4096

static unsigned replayed;

static void run(const char *octets, size_t n)
{
	struct span copy = fuzz_copy(span_of(octets, n));

	(void)LLVMFuzzerTestOneInput((const uint8_t *)copy.p, copy.n);
	fuzz_free(copy);
}

static int replay_file(const char *path)
{
	static char octets[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	n = fread(octets, 1, sizeof(octets), f);
	if (ferror(f) || !feof(f)) {
		(void)fprintf(stderr, "%s: cannot be read, or is too long\n", path);
		(void)fclose(f);
		return -1;
	}
	(void)fclose(f);
	/* Before it runs: the last line of a failed test names the culprit. */
	(void)printf("%s\n", path);
	(void)fflush(stdout);
	for (size_t i = 0; i < n && i < BEGINNINGS_MAX; i++)
		run(octets, i);
	run(octets, n);
	replayed++;
	return 0;
}

static int replay_folder(const char *path)
{
	struct dirent **entries;
	const int n = scandir(path, &entries, NULL, alphasort);
	int r = 0;

	if (n < 0) {
		perror(path);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		char file[4096];

		(void)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && replay_file(file) < 0)
			r = -1;
		free(entries[i]);
	}
	free(entries);
	return r;
}

int main(int argc, char **argv)
{
	int r = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) < 0) {
			perror(argv[i]);
			r = -1;
		} else if ((S_ISDIR(st.st_mode) ? replay_folder : replay_file)(argv[i]) < 0) {
			r = -1;
		}
	}
	(void)printf("%u files replayed\n", replayed);
	/* A test that replays nothing shows nothing. */
	return r < 0 || replayed == 0 ? 1 : 0;
}
