/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_priv.h"
#include "store/owner.h"

/* Opens the file where the record has it, or else where it is. */
static int open_message(struct maildir_drop *m, const struct index_record *record, uint32_t n,
			struct stat *ret_st, struct err *err)
{
	struct maildir_place place = {.where = MAILDIR_NEW};
	const bool known = maildir_place_of(record, &place);
	int fd = -ENOENT;

	/* A second turn because it may move once more between being found and being opened. */
	for (int turn = 0; turn < 3 && fd == -ENOENT; turn++) {
		int r;

		if (turn > 0 || !known) {
			r = maildir_locate(m, record, &place, err);
			if (r < 0)
				return r;
		}
		r = maildir_drop_dir(m, place.where, err);
		if (r < 0)
			return r;
		fd = maildir_file_open(r, place.name, ret_st);
	}
	if (fd == -ELOOP)
		return err_set(err, ENOENT, "message %u, '%s/%s/%s', is no longer a file", n,
			       m->owner.path, maildir_where_name(place.where), place.name);
	return fd < 0 ? err_sys(err, -fd, "cannot open message %u, '%s/%s/%s'", n, m->owner.path,
				maildir_where_name(place.where), place.name)
		      : fd;
}

/* It couldn't be read when the list was made. Now it can: but is it what the list says? */
static int mend(struct maildir_drop *m, uint32_t n, int fd, struct index_record *record,
		struct err *err)
{
	struct maildir_measured found;
	const int r = maildir_measure(fd, &found);

	if (r < 0)
		return err_sys(err, -r, "cannot read message %u of '%s'", n, m->owner.path);
	maildir_index_doubt(m);
	if (found.octets != record->octets || found.bytes != record->bytes)
		return err_set(err, ESTALE,
			       "message %u of '%s' could not be read before: "
			       "listed with its true size at the next login",
			       n, m->owner.path);
	record->flags = found.flags;
	return 0;
}

bool maildir_is_counted(const struct index_record *record)
{
	struct maildir_place place;
	struct maildir_name name;

	if (record->flags & INDEX_MEASURED)
		return true;
	if (!maildir_place_of(record, &place))
		return false;
	maildir_name_parse(span_str(place.name), &name);
	return name.has_sizes && name.bytes == name.octets && name.has_dots;
}

static int message(struct maildir_drop *m, uint32_t n, struct store_message *ret_message,
		   struct err *err)
{
	struct index_record record;
	struct stat st;
	int fd;
	int r = index_read_record(m->base.snapshot_fd, n, &record);

	if (r == -EBADMSG) {
		maildir_index_doubt(m);
		return err_set(err, EIO, "record %u in the index of '%s' is damaged", n,
			       m->owner.path);
	}
	if (r < 0)
		return err_sys(err, -r, "cannot read the index of '%s'", m->owner.path);

	fd = open_message(m, &record, n, &st, err);
	if (fd < 0)
		return fd;
	if (record.flags & INDEX_BROKEN) {
		r = mend(m, n, fd, &record, err);
	} else if ((uint64_t)st.st_size != record.bytes) {
		maildir_index_doubt(m);
		r = err_set(err, ESTALE,
			    "message %u of '%s' has %llu octets on disk and not %llu: "
			    "listed with its true size at the next login",
			    n, m->owner.path, (unsigned long long)st.st_size,
			    (unsigned long long)record.bytes);
	}
	if (r < 0) {
		sys_close(fd);
		return r;
	}
	*ret_message = (struct store_message){
		.fd = fd,
		.bytes = record.bytes,
		.octets = record.octets,
		.flags = record.flags & MAILDIR_FLAGS_FOR_SENDING,
		.counted = maildir_is_counted(&record),
	};
	return 0;
}

int maildir_message(struct maildrop *maildrop, uint32_t n, struct store_message *ret_message,
		    struct err *err)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;
	struct owner_switch sw;
	int r = owner_enter(&sw, &m->owner.o, err);

	if (r < 0)
		return r;
	r = message(m, n, ret_message, err);
	owner_leave(&sw);
	return r;
}

static int correction_put(struct maildir_drop *m, const struct maildir_correction *c)
{
	struct maildir_correction *const v = realloc(m->corrections,
						     (m->n_corrections + 1) * sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	v[m->n_corrections] = *c;
	m->corrections = v;
	m->n_corrections++;
	return 0;
}

/* Needs no rights of the owner's: the file is open. */
int maildir_check(struct maildrop *maildrop, uint32_t n, struct store_message *message,
		  struct err *err)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;
	struct maildir_measured found;
	const int r = maildir_measure(message->fd, &found);

	if (r < 0)
		return err_sys(err, -r, "cannot read message %u of '%s'", n, m->owner.path);

	const struct maildir_correction c = {
		.n = n,
		.flags = found.flags,
		.growth = found.growth,
		.octets = found.octets,
		.bytes = found.bytes,
	};

	if (c.octets == message->octets && c.bytes == message->bytes) {
		message->flags = c.flags & MAILDIR_FLAGS_FOR_SENDING;
		message->counted = true;
		return 0;
	}
	/* Not remembered, it is found to be wrong again the next time. */
	(void)correction_put(m, &c);
	return err_set(err, ESTALE,
		       "message %u of '%s' has %llu octets on the wire, and not %llu as its name "
		       "says: listed with its true size at the next login",
		       n, m->owner.path, (unsigned long long)c.octets,
		       (unsigned long long)message->octets);
}
