/* SPDX-License-Identifier: MIT */
#include "server/config_value.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "base/num.h"
#include "base/span.h"

struct unit {
	char letter;
	uint64_t factor;
};

/* A number, and perhaps the letter of a unit behind it. units ends with letter 0. */
static bool with_unit(const char *text, const struct unit *units, uint64_t max, uint64_t *ret_value)
{
	struct span s = span_str(text);
	uint64_t factor = 1;
	uint64_t n;

	if (s.n == 0)
		return false;
	for (const struct unit *u = units; u->letter != '\0'; u++) {
		if (s.p[s.n - 1] == u->letter) {
			factor = u->factor;
			s.n--;
			break;
		}
	}
	if (!num_parse_u64(s, max / factor, &n))
		return false;
	*ret_value = n * factor;
	return true;
}

bool config_duration(const char *text, uint64_t max, uint64_t *ret_seconds)
{
	static const struct unit units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {0, 0}};

	return with_unit(text, units, max, ret_seconds);
}

bool config_size(const char *text, uint64_t max, uint64_t *ret_octets)
{
	static const struct unit units[] = {
		{'K', 1U << 10}, {'M', 1U << 20}, {'G', 1U << 30}, {0, 0}};

	return with_unit(text, units, max, ret_octets);
}

bool config_mode(const char *text, uint32_t *ret_mode)
{
	const size_t n = strlen(text);
	uint32_t mode = 0;

	if (n < 3 || n > 4)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '7')
			return false;
		mode = mode * 8 + (uint32_t)(text[i] - '0');
	}
	if (mode > 0777)
		return false;
	*ret_mode = mode;
	return true;
}

bool config_bool(const char *text, bool *ret_value)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"yes", true}, {"true", true},   {"on", true},
		{"no", false}, {"false", false}, {"off", false},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i].word) == 0) {
			*ret_value = words[i].value;
			return true;
		}
	}
	return false;
}

static const char *unix_address(const char *path, enum config_protocol protocol,
				struct config_listen *ret_listen)
{
	const size_t n = strlen(path);

	if (protocol != CONFIG_LMTP)
		return "only lmtp_listen may be a UNIX socket";
	if (path[0] != '/')
		return "a UNIX socket needs an absolute path";
	if (n >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return "this path is too long for a UNIX socket";
	memcpy(ret_listen->host, path, n + 1);
	ret_listen->port = 0;
	return NULL;
}

const char *config_address(const char *text, enum config_protocol protocol,
			   struct config_listen *ret_listen)
{
	const char *const colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];
	uint64_t port;

	if (strncmp(text, "unix:", 5) == 0)
		return unix_address(text + 5, protocol, ret_listen);
	if (colon == NULL)
		return "it should look like \"*:110\", \"192.0.2.1:110\" or \"[2001:db8::1]:110\"";
	if (!num_parse_u64(span_str(colon + 1), UINT16_MAX, &port) || port == 0)
		return "the port must be a number from 1 to 65535";

	struct span h = span_of(text, (size_t)(colon - text));
	const bool v6 = h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']';

	if (v6)
		h = span_of(h.p + 1, h.n - 2);
	if (h.n >= sizeof(host))
		return "the address must be numeric";
	memcpy(host, h.p, h.n);
	host[h.n] = '\0';
	if ((v6 || strcmp(host, "*") != 0) &&
	    inet_pton(v6 ? AF_INET6 : AF_INET, host, address) != 1)
		return v6 || strchr(host, ':') == NULL ? "the address must be numeric"
						       : "an IPv6 address needs brackets";
	memcpy(ret_listen->host, host, h.n + 1);
	ret_listen->port = (uint16_t)port;
	return NULL;
}
