/* SPDX-License-Identifier: MIT */
/* SCRAM's keys as a stored password: who sends the password itself is verified by them too. */
#include <errno.h>

#include "base/secret.h"
#include "auth/scheme_priv.h"

int scheme_scram_check(const struct scheme_row *row, struct span text, struct err *err)
{
	struct scram_keys keys;

	if (!scram_keys_parse((enum scram_hash)row->n, text, &keys))
		return err_set(err, EINVAL, "malformed {%s} keys", row->name);
	return 0;
}

int scheme_scram_verify(const struct scheme_row *row, struct span text, const char *password,
			struct err *err)
{
	const enum scram_hash hash = (enum scram_hash)row->n;
	struct scram_keys kept;

	if (!scram_keys_parse(hash, text, &kept))
		return err_set(err, EINVAL, "malformed {%s} keys", row->name);

	struct scram_keys made = kept;

	if (!scram_keys_derive(hash, password, &made))
		return err_set(err, ENOMEM, "OpenSSL can't make {%s} keys", row->name);
	return secret_equal(made.stored, kept.stored, scram_octets(hash));
}

int scheme_scram_make(const struct scheme_row *row, const char *password, struct out *out,
		      struct err *err)
{
	const enum scram_hash hash = (enum scram_hash)row->n;
	struct scram_keys keys;

	if (!scram_keys_make(hash, password, &keys))
		return err_set(err, ENOMEM, "OpenSSL can't make {%s} keys", row->name);
	if (!scram_keys_put(out, hash, &keys))
		return err_set(err, ENOBUFS, "no room for {%s} keys", row->name);
	return 0;
}
