/* SPDX-License-Identifier: MIT */
/*
 * What a process with keys may be asked to sign: the two texts that servers sign in TLS, as
 * RFC 8446 section 4.4.3 and RFC 8422 section 5.4 have them, written here once more.
 */
#include "net/tls_signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static const uint32_t all[] = {
	TLS_ECDSA_SHA256,     TLS_ECDSA_SHA384,     TLS_ECDSA_SHA512, TLS_RSA_PSS_SHA256,
	TLS_RSA_PSS_SHA384,   TLS_RSA_PSS_SHA512,   TLS_ED25519,      TLS_RSA_PKCS1_SHA256,
	TLS_RSA_PKCS1_SHA384, TLS_RSA_PKCS1_SHA512,
};

#define N_ALL (sizeof(all) / sizeof(all[0]))

static bool may(unsigned min_version, uint32_t scheme, const uint8_t *octets, size_t n)
{
	const struct tls_signing what = {.scheme = scheme, .octets = octets, .n = n};

	return tls_signing_is_plausible(min_version, &what);
}

/* Returns its octets. */
static size_t make_tls13(uint8_t *p, size_t hash)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";

	memset(p, 0x20, 64);
	memcpy(p + 64, context, sizeof(context));
	memset(p + 64 + sizeof(context), 0xaa, hash);
	return 64 + sizeof(context) + hash;
}

static size_t make_tls12(uint8_t *p, uint16_t group, uint8_t point)
{
	memset(p, 0xbb, 64);
	p[64] = 3;
	p[65] = (uint8_t)(group >> 8);
	p[66] = (uint8_t)group;
	p[67] = point;
	memset(p + 68, 0xcc, point);
	return 68U + point;
}

static bool is_pkcs1(uint32_t scheme)
{
	return (scheme & 0xff) == 1;
}

static void tls13(void **state)
{
	uint8_t p[256];

	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		for (size_t hash = 0; hash <= 64; hash++) {
			const size_t n = make_tls13(p, hash);
			/* TLS 1.3 signs nothing by PKCS #1, and hashes by SHA-256 or SHA-384. */
			const bool right = !is_pkcs1(all[i]) && (hash == 32 || hash == 48);

			assert_int_equal(may(13, all[i], p, n), right);
			assert_int_equal(may(12, all[i], p, n), right);
		}
	}
}

static void tls12(void **state)
{
	static const struct {
		uint16_t group;
		uint8_t point;
	} good[] = {{0x001d, 32}, {0x0017, 65}, {0x0018, 97}};
	uint8_t p[512];

	(void)state;
	for (size_t k = 0; k < sizeof(good) / sizeof(good[0]); k++) {
		for (unsigned point = 0; point < 256; point++) {
			const size_t n = make_tls12(p, good[k].group, (uint8_t)point);

			for (size_t i = 0; i < N_ALL; i++) {
				assert_int_equal(may(12, all[i], p, n), point == good[k].point);
				assert_false(may(13, all[i], p, n));
			}
		}
	}
	for (unsigned group = 0; group < 0x10000; group++) {
		const size_t n = make_tls12(p, (uint16_t)group, 32);

		assert_int_equal(may(12, TLS_ECDSA_SHA256, p, n), group == 0x001d);
	}
}

/* Each octet that is fixed, changed in turn; and one more or one less at the end. */
static void nearly(void **state)
{
	uint8_t p[256];
	size_t n = make_tls13(p, 32);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		p[i] ^= 1;
		assert_int_equal(may(12, TLS_ECDSA_SHA256, p, n), i >= n - 32);
		p[i] ^= 1;
	}
	assert_false(may(12, TLS_ECDSA_SHA256, p, n + 1));
	assert_false(may(12, TLS_ECDSA_SHA256, p, n - 1));
	/* The client's half of the same handshake: for who would be a client with this key. */
	memcpy(p + 64 + 9, "client", 6);
	assert_false(may(12, TLS_ECDSA_SHA256, p, n));

	n = make_tls12(p, 0x0017, 65);
	assert_false(may(12, TLS_ECDSA_SHA256, p, n + 1));
	assert_false(may(12, TLS_ECDSA_SHA256, p, n - 1));
	for (size_t i = 64; i < 68; i++) {
		p[i] ^= 1;
		assert_false(may(12, TLS_ECDSA_SHA256, p, n));
		p[i] ^= 1;
	}
	assert_true(may(12, TLS_ECDSA_SHA256, p, n));
	assert_false(may(12, TLS_ECDSA_SHA256, p, 0));
}

static void schemes(void **state)
{
	uint8_t p[256];
	const size_t n = make_tls13(p, 32);
	unsigned good = 0;

	(void)state;
	for (uint32_t scheme = 0; scheme < 0x20000; scheme++)
		good += may(13, scheme, p, n);
	/* All of them but PKCS #1's. */
	assert_int_equal(good, N_ALL - 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls13),
		cmocka_unit_test(tls12),
		cmocka_unit_test(nearly),
		cmocka_unit_test(schemes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
