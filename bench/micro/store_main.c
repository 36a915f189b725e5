/* SPDX-License-Identifier: MIT */
/*
 * bench-store DIRECTORY [MESSAGES] - what one call of the store costs, without the
 * server around it: wall and CPU time of each operation on maildrops of several sizes,
 * the median of some rounds. MESSAGES is the largest size (1000000 if it isn't given).
 *
 * DIRECTORY must exist, on the file system that is of interest; all that is made in it is
 * removed. Messages are empty files with sizes in their names: nothing here reads one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "store/store.h"

#define ROUNDS 9
#define PATH_SIZE 512
#define THREADS_MAX 64
#define DELIVER_SECONDS 2
#define MESSAGE_OCTETS 8192

static struct store *store;
static char drop[PATH_SIZE]; /* the maildrop */

__attribute__((noreturn)) static void die(const char *what, int error)
{
	(void)fprintf(stderr, "bench-store: %s: %s\n", what, strerror(error));
	exit(1);
}

/* ---- files ---- */

static void make_dir(const char *path)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		die(path, errno);
}

static int open_sub(const char *sub)
{
	char path[PATH_SIZE + 8];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", drop, sub);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(path, errno);
	return fd;
}

static void empty_dir(const char *sub)
{
	const int fd = open_sub(sub);
	DIR *const dir = fdopendir(fd);
	const struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] != '.')
			(void)unlinkat(fd, e->d_name, 0);
	}
	(void)closedir(dir);
}

static void forget_index(void)
{
	char path[PATH_SIZE + 32];

	(void)snprintf(path, sizeof(path), "%s/restante.index", drop);
	(void)unlink(path);
}

/* Message number n of a maildrop: its name says all that an open wants to know. */
static void put_message(int dir_fd, bool in_cur, uint32_t n)
{
	char name[128];
	int fd;

	(void)snprintf(name, sizeof(name), "%u.M%06uP4711Q%uRc0ffee00.mx.example,S=2048,W=2048%s",
		       1700000000U + n / 100, n, n, in_cur ? ":2,S" : ",D=0");
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		die(name, errno);
	(void)close(fd);
}

static void fill(const char *sub, uint32_t from, uint32_t to)
{
	const int fd = open_sub(sub);

	for (uint32_t n = from; n < to; n++)
		put_message(fd, strcmp(sub, "cur") == 0, n);
	(void)close(fd);
}

static void begin(const char *sub, uint32_t messages)
{
	static const char *const subs[] = {"", "/new", "/cur", "/tmp"};

	for (size_t i = 0; i < 4; i++) {
		char path[PATH_SIZE + 8];

		(void)snprintf(path, sizeof(path), "%s%s", drop, subs[i]);
		make_dir(path);
	}
	fill(sub, 0, messages);
}

static void end(void)
{
	static const char *const subs[] = {"/new", "/cur", "/tmp", ""};

	empty_dir("new");
	empty_dir("cur");
	empty_dir("tmp");
	forget_index();
	for (size_t i = 0; i < 4; i++) {
		char path[PATH_SIZE + 8];

		(void)snprintf(path, sizeof(path), "%s%s", drop, subs[i]);
		if (rmdir(path) < 0)
			die(path, errno);
	}
}

/* ---- times ---- */

struct cost {
	double wall_us;
	double cpu_us;
};

static double clock_us(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct cost now(void)
{
	return (struct cost){clock_us(CLOCK_MONOTONIC), clock_us(CLOCK_PROCESS_CPUTIME_ID)};
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare_doubles);
	return v[n / 2];
}

/* Median of rounds: before is outside the clock and may be NULL, times is how often op is done. */
static void measure(const char *what, uint32_t messages, unsigned int times,
		    void (*before)(uint32_t round), void (*op)(void))
{
	double wall[ROUNDS];
	double cpu[ROUNDS];

	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct cost start;
		struct cost stop;

		if (before != NULL)
			before(round);
		start = now();
		for (unsigned int i = 0; i < times; i++)
			op();
		stop = now();
		wall[round] = (stop.wall_us - start.wall_us) / times;
		cpu[round] = (stop.cpu_us - start.cpu_us) / times;
	}
	(void)printf("%-34s %9u messages %12.1f us %12.1f us CPU\n", what, messages,
		     median(wall, ROUNDS), median(cpu, ROUNDS));
	(void)fflush(stdout);
}

/* ---- sessions ---- */

static const struct store_owner *owner(void)
{
	static struct store_owner o;

	o = (struct store_owner){.user = "bench", .path = drop, .uid = (uid_t)-1, .gid = (gid_t)-1};
	return &o;
}

static struct maildrop *open_drop(void)
{
	struct maildrop *m;
	struct err err;
	const int r = maildrop_open(store, owner(), &m, &err);

	if (r < 0)
		die(err.text, -r);
	return m;
}

static void poll_drop(void)
{
	maildrop_close(open_drop());
}

static void before_cold(uint32_t round)
{
	(void)round;
	forget_index();
}

static void deliver_one(const char *path, struct span text)
{
	struct delivery_target target = {
		.owner = {.user = "bench", .path = path, .uid = (uid_t)-1, .gid = (gid_t)-1}};
	const struct delivery_info info = {.octets = text.n};
	struct delivery *d;
	struct err err;
	int r = delivery_begin(store, &target.owner, &d, &err);

	if (r < 0)
		die(err.text, -r);
	if (write(delivery_fd(d), text.p, text.n) != (ssize_t)text.n)
		die("write", errno);
	r = delivery_commit(d, &info, &target, 1, &err);
	if (r < 0)
		die(err.text, -r);
	delivery_free(d);
}

static void before_delivered(uint32_t round)
{
	(void)round;
	deliver_one(drop, SPAN_LIT("Subject: x\r\n\r\n"));
}

static void before_foreign(uint32_t round)
{
	fill("new", UINT32_C(2000000000) + round, UINT32_C(2000000000) + round + 1);
}

static struct maildrop *to_expunge;

static void before_expunge(uint32_t round)
{
	uint32_t step;

	(void)round;
	if (to_expunge != NULL)
		maildrop_close(to_expunge);
	to_expunge = open_drop();
	step = maildrop_count(to_expunge) / 1000;
	for (uint32_t i = 0; i < 1000; i++) {
		if (maildrop_mark(to_expunge, i * step + 1) < 0)
			die("mark", ENOMEM);
	}
}

static void expunge(void)
{
	uint32_t removed;
	struct err err;
	const int r = maildrop_commit(to_expunge, &removed, &err);

	if (r < 0)
		die(err.text, -r);
}

static void before_expunged(uint32_t round)
{
	before_expunge(round);
	expunge();
	maildrop_close(to_expunge);
	to_expunge = NULL;
}

static void sessions(const char *sub, uint32_t messages)
{
	char what[64];

	begin(sub, messages);
	(void)snprintf(what, sizeof(what), "%s/: first open", sub);
	measure(what, messages, 1, before_cold, poll_drop);
	(void)snprintf(what, sizeof(what), "%s/: unchanged", sub);
	measure(what, messages, 1000, NULL, poll_drop);
	(void)snprintf(what, sizeof(what), "%s/: after a delivery", sub);
	measure(what, messages, 1, before_delivered, poll_drop);
	(void)snprintf(what, sizeof(what), "%s/: after another program's", sub);
	measure(what, messages, 1, before_foreign, poll_drop);
	if (messages >= 100000) {
		(void)snprintf(what, sizeof(what), "%s/: QUIT that deletes 1000", sub);
		measure(what, messages, 1, before_expunge, expunge);
		maildrop_close(to_expunge);
		to_expunge = NULL;
		(void)snprintf(what, sizeof(what), "%s/: after such a QUIT", sub);
		measure(what, messages, 1, before_expunged, poll_drop);
	}
	end();
}

/* ---- deliveries ---- */

static atomic_bool stop;
static char message[MESSAGE_OCTETS];

static void *deliver_all(void *arg)
{
	uintptr_t n = 0;

	for (; !atomic_load(&stop); n++)
		deliver_one(arg, span_of(message, sizeof(message)));
	return (void *)n;
}

static void deliveries(const char *root, unsigned int threads, bool same)
{
	static char paths[THREADS_MAX][PATH_SIZE];
	char saved[PATH_SIZE];
	pthread_t v[THREADS_MAX];
	struct cost start;
	struct cost stopped;
	uintptr_t count = 0;

	memcpy(saved, drop, sizeof(saved));
	atomic_store(&stop, false);
	start = now();
	for (unsigned int i = 0; i < threads; i++) {
		(void)snprintf(paths[i], PATH_SIZE, "%.400s/deliver-%u", root, same ? 0 : i);
		if (pthread_create(&v[i], NULL, deliver_all, paths[i]) != 0)
			die("thread", EAGAIN);
	}
	(void)sleep(DELIVER_SECONDS);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < threads; i++) {
		void *n;

		(void)pthread_join(v[i], &n);
		count += (uintptr_t)n;
	}
	stopped = now();
	(void)printf("deliver 8 KiB, %2u threads, %-16s %9.0f a second %9.1f us CPU\n", threads,
		     same ? "one maildrop" : "a maildrop each",
		     (double)count * 1e6 / (stopped.wall_us - start.wall_us),
		     (stopped.cpu_us - start.cpu_us) / (double)count);
	(void)fflush(stdout);
	for (unsigned int i = 0; i < (same ? 1 : threads); i++) {
		memcpy(drop, paths[i], sizeof(drop));
		end();
	}
	memcpy(drop, saved, sizeof(drop));
}

int main(int argc, char **argv)
{
	uint64_t most = 1000000;
	struct err err;
	int r;

	if (argc < 2 || argc > 3 || argv[1][0] != '/' || strlen(argv[1]) > 300 ||
	    (argc == 3 && !num_parse_u64(span_str(argv[2]), 10000000, &most))) {
		(void)fprintf(stderr, "usage: bench-store /DIRECTORY [MESSAGES]\n");
		return 64;
	}
	(void)snprintf(drop, sizeof(drop), "%s/bench-store-%d", argv[1], (int)getpid());
	r = store_new("maildir", "mx.example", NULL, NULL, &store, &err);
	if (r < 0)
		die(err.text, -r);
	memset(message, 'x', sizeof(message));
	memcpy(message + sizeof(message) - 2, "\r\n", 2);

	for (unsigned int threads = 1; threads <= THREADS_MAX; threads *= 4) {
		deliveries(argv[1], threads, false);
		deliveries(argv[1], threads, true);
	}
	for (uint32_t n = 10; n <= most; n *= n < 1000 ? 100 : n < 100000 ? 100 : 10) {
		sessions("new", n);
		sessions("cur", n);
	}
	store_free(store);
	return 0;
}
