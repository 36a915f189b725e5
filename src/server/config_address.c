/* SPDX-License-Identifier: MIT */
#include "server/config_address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "base/num.h"
#include "base/span.h"

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
