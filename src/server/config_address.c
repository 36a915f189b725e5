/* SPDX-License-Identifier: MIT */
#include "server/config_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/num.h"
#include "base/span.h"

static const char *unix_address(const char *path, enum config_protocol protocol,
				struct config_listen *ret_listen)
{
	const size_t n = strlen(path);

	if (protocol != CONFIG_LMTP && protocol != CONFIG_SMTP)
		return "only lmtp_listen and smtp_listen may be a UNIX socket";
	if (path[0] != '/')
		return "a UNIX socket needs an absolute path";
	if (n >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return "this path is too long for a UNIX socket";
	memcpy(ret_listen->host, path, n + 1);
	ret_listen->port = 0;
	return NULL;
}

static const char *tcp_address(const char *text, size_t n, struct config_listen *ret_listen)
{
	const char *const colon = memrchr(text, ':', n);
	char host[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];
	uint64_t port;

	if (colon == NULL)
		return "it should look like \"*:110\", \"192.0.2.1:110\" or \"[2001:db8::1]:110\"";
	if (!num_parse_u64(span_of(colon + 1, (size_t)(text + n - colon - 1)), UINT16_MAX, &port) ||
	    port == 0)
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

/* "*" is every address, and so none of this machine alone. */
static bool is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
}

const char *config_address(const char *text, enum config_protocol protocol,
			   struct config_listen *ret_listen)
{
	const size_t word = strlen(CONFIG_ADDRESS_PROXY);
	size_t n = strlen(text);

	/* Metrics are for this machine, unless somebody says otherwise in full. */
	if (protocol == CONFIG_METRICS && strspn(text, "0123456789") == n && n > 0 && n <= 5) {
		char local[sizeof("127.0.0.1:12345")];

		(void)snprintf(local, sizeof(local), "127.0.0.1:%s", text);
		return tcp_address(local, strlen(local), ret_listen);
	}
	ret_listen->proxy = n > word && strcmp(text + n - word, CONFIG_ADDRESS_PROXY) == 0;
	if (strncmp(text, "unix:", 5) == 0)
		return ret_listen->proxy ? "a proxy speaks TCP, not to a UNIX socket"
					 : unix_address(text + 5, protocol, ret_listen);
	if (ret_listen->proxy && protocol == CONFIG_METRICS)
		return "only mail comes through a proxy";
	if (ret_listen->proxy && protocol == CONFIG_SMTP)
		return "SMTP is for programs on this machine, not for those behind a proxy";
	if (ret_listen->proxy)
		n -= word;

	const char *const wrong = tcp_address(text, n, ret_listen);

	if (wrong == NULL && protocol == CONFIG_SMTP && !is_loopback(ret_listen->host))
		return "SMTP is for programs on this machine: 127.0.0.1, [::1] or a UNIX socket";
	return wrong;
}

static bool has_bit(const uint8_t address[16], uint32_t bit)
{
	return (address[bit / 8] & 0x80 >> bit % 8) != 0;
}

const char *config_network(const char *text, struct config_network *ret_network)
{
	const size_t n = strcspn(text, "/");
	struct config_network w = {0};
	char host[INET6_ADDRSTRLEN];
	uint64_t bits;
	uint32_t width;

	if (n >= sizeof(host))
		return "the address must be numeric";
	memcpy(host, text, n);
	host[n] = '\0';
	if (inet_pton(AF_INET6, host, w.address) == 1) {
		width = 128;
	} else if (inet_pton(AF_INET, host, w.address + 12) == 1) {
		width = 32;
		w.address[10] = w.address[11] = 0xff;
	} else {
		return "the address must be numeric";
	}
	bits = width;
	if (text[n] == '/' && !num_parse_u64(span_str(text + n + 1), width, &bits))
		return width == 32 ? "behind \"/\" stands a number from 0 to 32"
				   : "behind \"/\" stands a number from 0 to 128";
	w.bits = (uint32_t)bits + 128 - width;
	for (uint32_t i = w.bits; i < 128; i++) {
		if (has_bit(w.address, i))
			return "the address has bits behind those of its network";
	}
	*ret_network = w;
	return NULL;
}

static bool is_in(const struct config_network *w, const uint8_t address[16])
{
	const uint32_t whole = w->bits / 8;
	const uint32_t rest = w->bits % 8;

	if (memcmp(w->address, address, whole) != 0)
		return false;
	return rest == 0 || (w->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool config_network_has(const struct config_network *networks, uint32_t n,
			const uint8_t address[16])
{
	for (uint32_t i = 0; i < n; i++) {
		if (is_in(&networks[i], address))
			return true;
	}
	return false;
}
