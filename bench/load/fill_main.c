/* SPDX-License-Identifier: MIT */
/*
 * bench-fill ROOT - makes Maildirs ROOT/user0 and so on with messages of the bench
 * (mail.h), as a delivery agent would have left them: sizes in their names. What is in
 * their new/ and cur/ already stays. bench/README.md has the options in words.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "mail.h"

/* ext4 takes 65,000 names for one file. */
#define LINKS_MAX 50000U

struct fill {
	const char *root;
	uint64_t user; /* the first */
	uint64_t users;
	uint64_t messages; /* each */
	uint64_t first;    /* number of the first message */
	uint64_t octets;
	uint64_t uid; /* of all that is made */
	uint64_t gid;
	uint64_t linked; /* 1: messages are names of one file, where there are too many for files */
	uint64_t in_cur; /* 1: seen already */
	uint64_t own; /* 1: named as restante names what it has delivered: D= for lines with dots */
	enum mail_kind kind;
};

static const struct {
	const char *name;
	size_t at;
} numbers[] = {
	{"user", offsetof(struct fill, user)},         {"users", offsetof(struct fill, users)},
	{"messages", offsetof(struct fill, messages)}, {"first", offsetof(struct fill, first)},
	{"octets", offsetof(struct fill, octets)},     {"uid", offsetof(struct fill, uid)},
	{"gid", offsetof(struct fill, gid)},           {"linked", offsetof(struct fill, linked)},
	{"in-cur", offsetof(struct fill, in_cur)},     {"own", offsetof(struct fill, own)},
};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

__attribute__((noreturn)) static void die(const char *what)
{
	(void)fprintf(stderr, "bench-fill: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void own(const struct fill *f, int fd, const char *what)
{
	if (geteuid() == 0 && fchown(fd, (uid_t)f->uid, (gid_t)f->gid) < 0)
		die(what);
}

static int make_dir(const struct fill *f, int at, const char *name)
{
	int fd;

	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		die(name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(name);
	own(f, fd, name);
	return fd;
}

static void write_message(const struct fill *f, int dir, const char *name, const struct mail *m)
{
	static char bytes[1U << 20];
	const int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t at = 0;

	if (fd < 0)
		die(name);
	while (at < m->octets) {
		struct out o = {.p = bytes, .cap = sizeof(bytes)};

		mail_make_kept(m, &at, &o);
		if (write(fd, o.p, o.n) != (ssize_t)o.n)
			die(name);
	}
	own(f, fd, name);
	(void)close(fd);
}

static void fill_user(const struct fill *f, uint64_t user, int root)
{
	char name[128];
	char linked[128] = "";
	int dirs[3];

	(void)snprintf(name, sizeof(name), "user%llu", (unsigned long long)user);

	const int home = make_dir(f, root, name);

	dirs[0] = make_dir(f, home, "tmp");
	dirs[1] = make_dir(f, home, "new");
	dirs[2] = make_dir(f, home, "cur");
	for (uint64_t i = 0; i < f->messages; i++) {
		const int dir = dirs[f->in_cur != 0 ? 2 : 1];
		const struct mail m = {
			.user = (uint32_t)user,
			.number = (uint32_t)(f->first + (f->linked != 0 ? 0 : i)),
			.octets = f->octets,
			.kind = f->kind,
		};

		/* Names in the order of the numbers, whatever a server sorts them by. */
		(void)snprintf(name, sizeof(name), "%llu.M%06lluP1.bench,S=%llu,W=%llu%s%s",
			       (unsigned long long)(1600000000 + (f->first + i) / 1000000),
			       (unsigned long long)((f->first + i) % 1000000),
			       (unsigned long long)mail_kept_octets(&m),
			       (unsigned long long)m.octets,
			       f->own != 0 && f->kind == MAIL_CRLF ? ",D=0" : "",
			       f->in_cur != 0 ? ":2," : "");
		if (f->linked == 0 || i % LINKS_MAX == 0) {
			write_message(f, dir, name, &m);
			memcpy(linked, name, sizeof(linked));
		} else if (linkat(dir, linked, dir, name, 0) < 0) {
			die(name);
		}
	}
	for (size_t i = 0; i < 3; i++)
		(void)close(dirs[i]);
	(void)close(home);
}

int main(int argc, char **argv)
{
	struct fill f = {.users = 1,
			 .messages = 10,
			 .first = 1,
			 .octets = 8192,
			 .uid = geteuid(),
			 .gid = getegid()};
	struct option options[N_NUMBERS + 2] = {{"kind", required_argument, NULL, 0}};
	int index;
	int c;

	for (size_t i = 0; i < N_NUMBERS; i++)
		options[i + 1] = (struct option){numbers[i].name, required_argument, NULL, 0};
	while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
		uint64_t n = 0;
		const bool good = c == 0 &&
				  (index == 0 ? mail_kind_parse(optarg, &f.kind)
					      : num_parse_u64(span_str(optarg), UINT32_MAX, &n));

		if (!good)
			return 64;
		if (index > 0)
			memcpy((char *)&f + numbers[index - 1].at, &n, sizeof(n));
	}
	if (argc - optind != 1 || f.octets <= MAIL_HEADER || f.octets % MAIL_LINE != 0) {
		(void)fprintf(stderr, "usage: bench-fill ROOT [options]; "
				      "--octets is a multiple of 64 and more than 192\n");
		return 64;
	}
	f.root = argv[optind];
	mail_init();

	const int root = open(f.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		die(f.root);
	for (uint64_t i = 0; i < f.users; i++)
		fill_user(&f, f.user + i, root);
	(void)close(root);
	return 0;
}
