/* SPDX-License-Identifier: MIT */
/* Every option, good and bad, and the file and line that the operator is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config.h"
#include "server/config_address.h"

static char path[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/restante-config-XXXXXX");

	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_octets(const char *text, size_t n)
{
	const int fd = open(path, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	(void)close(fd);
}

static int load(const char *text, struct config *c, struct err *err)
{
	write_octets(text, strlen(text));
	return config_load(path, c, err);
}

static void load_good(const char *text, struct config *c)
{
	struct err err;
	const int r = load(text, c, &err);

	if (r != 0)
		fail_msg("%s", err.text);
}

#define LISTEN "pop3_listen = {\"127.0.0.1:110\"}\n"

static void test_defaults_are_safe(void **state)
{
	struct config c;

	(void)state;
	load_good(LISTEN, &c);
	assert_int_equal(c.n_listen, 1);
	assert_int_equal(c.listen[0].protocol, CONFIG_POP3);
	assert_string_equal(c.listen[0].host, "127.0.0.1");
	assert_int_equal(c.listen[0].port, 110);
	assert_int_equal(c.plaintext_login, CONFIG_PLAINTEXT_LOOPBACK);
	assert_int_equal(c.tls_min_version, 12);
	assert_int_equal(c.idle_timeout, 600);
	assert_int_equal(c.lmtp_socket_mode, 0660);
	assert_int_equal(c.message_size_limit, 50 << 20);
	assert_int_equal(c.auth_cache_seconds, 3600);
	assert_string_equal(c.store_driver, "maildir");
	assert_string_equal(c.recipient_delimiter, "+");
	assert_int_equal(config_device_separator(&c), '+');
	assert_int_equal(c.rules.device_days, 30);
	assert_int_equal(c.rules.recent_offer, 30);
	assert_int_equal(c.rules.recent_days, 0);
	assert_int_equal(c.log_target, LOG_TARGET_STDERR);
	assert_int_equal(c.log_level, LOG_LEVEL_INFO);
	assert_false(c.apop);
	assert_string_not_equal(c.hostname, "");
	assert_null(config_warning(&c, 0));
}

/* The struct travels between processes: two loads of one file are the same octets. */
static void test_struct_has_no_noise(void **state)
{
	static struct config a, b;

	(void)state;
	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	load_good(LISTEN "hostname = mail.example\n", &a);
	load_good(LISTEN "hostname = mail.example\n", &b);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void test_every_option(void **state)
{
	static struct config c;
	unsigned n_metrics = 0;

	(void)state;
	load_good("# a comment\n"
		  "pop3_listen = {\"*:110 proxy\", \"[::1]:110\"}\n"
		  "pop3s_listen = {\"192.0.2.1:995\"}\n"
		  "lmtp_listen = {\"unix:/run/restante/lmtp\", \"127.0.0.1:24 proxy\"}\n"
		  "smtp_listen = {\"127.1.2.3:25\", \"[::1]:25\", \"unix:/run/restante/smtp\"}\n"
		  "hostname = \"mail.example\"\n"
		  "lmtp_socket_mode = 0600\n"
		  "lmtp_socket_group = postfix\n"
		  "proxy_trusted = {\"192.0.2.0/24\", \"2001:db8::/33\", \"::1\"}\n"
		  "tls_certificate = \"/c.pem\"\n"
		  "tls_key = \"/k.pem\"\n"
		  "tls_min_version = 1.3\n"
		  "tls_ciphers = \"DEFAULT\"\n"
		  "plaintext_login = send-passwords-in-clear\n"
		  "users_file = \"/u\"\n"
		  "default_domain = example.org\n"
		  "recipient_delimiter = \"-\"\n"
		  "device_separator = \"=\"\n"
		  "device_days = 0\n"
		  "recent_days = 7\n"
		  "auth_threads = 3\n"
		  "auth_cache_seconds = 5m\n"
		  "auth_failure_delay_ms = 100\n"
		  "apop = yes\n"
		  "store_driver = mem\n"
		  "mail_location = \"%h/Maildir\"\n"
		  "mail_user = \"\"\n"
		  "server_user = nobody\n"
		  "storage_threads = 7\n"
		  "message_size_limit = 1G\n"
		  "lmtp_max_recipients = 128\n"
		  "lmtp_delivered_to = each\n"
		  "utf8_downgrade = no\n"
		  "listeners = 2\n"
		  "max_connections = 9000\n"
		  "max_connections_per_address = 0\n"
		  "max_connections_per_user = 4\n"
		  "login_timeout = 30\n"
		  "idle_timeout = 11m\n"
		  "write_timeout = 45s\n"
		  "max_bad_commands = 5\n"
		  "drain_timeout = 1h\n"
		  "metrics_listen = {\"9110\", \"[::1]:9110\"}\n"
		  "pid_file = \"/run/p\"\n"
		  "log_target = syslog\n"
		  "log_format = json\n"
		  "log_level = debug\n",
		  &c);
	assert_int_equal(c.n_listen, 10);
	assert_string_equal(c.listen[0].host, "*");
	assert_string_equal(c.listen[1].host, "::1");
	assert_int_equal(c.listen[2].protocol, CONFIG_POP3S);
	assert_int_equal(c.listen[2].port, 995);
	assert_int_equal(c.listen[3].protocol, CONFIG_LMTP);
	assert_string_equal(c.listen[3].host, "/run/restante/lmtp");
	assert_int_equal(c.listen[3].port, 0);
	assert_int_equal(c.listen[4].port, 24);
	assert_int_equal(c.listen[5].protocol, CONFIG_SMTP);
	assert_string_equal(c.listen[5].host, "127.1.2.3");
	assert_string_equal(c.listen[6].host, "::1");
	assert_string_equal(c.listen[7].host, "/run/restante/smtp");
	assert_string_equal(c.hostname, "mail.example");
	assert_int_equal(c.lmtp_socket_mode, 0600);
	assert_string_equal(c.lmtp_socket_group, "postfix");
	assert_int_equal(c.n_proxy_trusted, 3);
	assert_true(c.listen[0].proxy);
	assert_false(c.listen[1].proxy);
	assert_true(c.listen[4].proxy);
	assert_string_equal(c.tls_certificate, "/c.pem");
	assert_string_equal(c.tls_key, "/k.pem");
	assert_int_equal(c.tls_min_version, 13);
	assert_string_equal(c.tls_ciphers, "DEFAULT");
	assert_int_equal(c.plaintext_login, CONFIG_PLAINTEXT_ALWAYS);
	assert_string_equal(c.users_file, "/u");
	assert_string_equal(c.default_domain, "example.org");
	assert_string_equal(c.recipient_delimiter, "-");
	assert_int_equal(config_device_separator(&c), '=');
	assert_int_equal(c.rules.device_days, 0);
	assert_int_equal(c.rules.recent_offer, 7);
	assert_int_equal(c.auth_threads, 3);
	assert_int_equal(c.auth_cache_seconds, 300);
	assert_int_equal(c.auth_failure_delay_ms, 100);
	assert_true(c.apop);
	assert_string_equal(c.store_driver, "mem");
	assert_string_equal(c.mail_location, "%h/Maildir");
	assert_string_equal(c.mail_user, "");
	assert_string_equal(c.server_user, "nobody");
	assert_int_equal(c.storage_threads, 7);
	assert_int_equal(c.message_size_limit, 1 << 30);
	assert_int_equal(c.lmtp_max_recipients, 128);
	assert_int_equal(c.lmtp_delivered_to, CONFIG_DELIVERED_TO_EACH);
	assert_false(c.utf8_downgrade);
	assert_int_equal(c.listeners, 2);
	assert_int_equal(c.max_connections, 9000);
	assert_int_equal(c.max_connections_per_address, 0);
	assert_int_equal(c.max_connections_per_user, 4);
	assert_int_equal(c.login_timeout, 30);
	assert_int_equal(c.idle_timeout, 660);
	assert_int_equal(c.write_timeout, 45);
	assert_int_equal(c.max_bad_commands, 5);
	assert_int_equal(c.drain_timeout, 3600);
	assert_string_equal(c.pid_file, "/run/p");
	for (uint32_t i = 0; i < c.n_listen; i++)
		n_metrics += c.listen[i].protocol == CONFIG_METRICS;
	assert_int_equal(n_metrics, 2);
	assert_string_equal(c.listen[c.n_listen - 2].host, "127.0.0.1");
	assert_int_equal(c.listen[c.n_listen - 2].port, 9110);
	assert_int_equal(c.log_target, LOG_TARGET_SYSLOG);
	assert_int_equal(c.log_format, LOG_FORMAT_JSON);
	assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
	assert_non_null(config_warning(&c, 0));
	assert_null(config_warning(&c, 1));
}

#define SMTP_LOOPBACK "SMTP is for programs on this machine: 127.0.0.1, [::1] or a UNIX socket"

/* Each is written in line 2 or later; the text follows "FILE:". */
static const struct {
	const char *text;
	const char *message;
} bad[] = {
	{LISTEN "pop3_lisen = {\"*:1\"}\n", "2: no such option 'pop3_lisen'"},
	{LISTEN "apop = maybe\n", "2: apop needs \"yes\" or \"no\", not \"maybe\""},
	{LISTEN "\n\napop = yes\napop = no\n", "5: apop is given twice (first in line 4)"},
	{LISTEN "listeners = 257\n", "2: listeners must be from 0 to 256"},
	{LISTEN "listeners = -1\n", "2: listeners needs a number, not \"-1\""},
	{LISTEN "listeners = 1x\n", "2: listeners needs a number, not \"1x\""},
	{LISTEN "listeners = 4294967297\n", "2: listeners must be from 0 to 256"},
	{LISTEN "listeners = 99999999999999999999\n",
	 "2: listeners needs a number, not \"99999999999999999999\""},
	{LISTEN "max_connections = 0\n", "2: max_connections must be from 1 to 1000000"},
	{LISTEN "lmtp_max_recipients = 129\n", "2: lmtp_max_recipients must be from 1 to 128"},
	{LISTEN "idle_timeout = 10y\n", "2: idle_timeout needs a time such as \"90\", \"90s\", "
					"\"10m\" or \"1h\", not \"10y\""},
	{LISTEN "idle_timeout = m\n", "2: idle_timeout needs a time such as \"90\", \"90s\", "
				      "\"10m\" or \"1h\", not \"m\""},
	{LISTEN "idle_timeout = 0\n", "2: idle_timeout must be from 1 to 604800"},
	{LISTEN "message_size_limit = 1T\n",
	 "2: message_size_limit needs a size such as \"1048576\", \"50M\" or \"1G\", not \"1T\""},
	{LISTEN "lmtp_socket_mode = 0800\n",
	 "2: lmtp_socket_mode needs permissions such as \"0660\", not \"0800\""},
	{LISTEN "lmtp_socket_mode = 7777\n",
	 "2: lmtp_socket_mode needs permissions such as \"0660\", not \"7777\""},
	{LISTEN "plaintext_login = always\n",
	 "2: plaintext_login must be one of: never, loopback, send-passwords-in-clear; not "
	 "\"always\""},
	{LISTEN "tls_min_version = 1.1\n",
	 "2: tls_min_version must be one of: 1.2, 1.3; not \"1.1\""},
	{LISTEN "store_driver = mbox\n",
	 "2: store_driver must be one of: maildir, mem; not \"mbox\""},
	{LISTEN "recipient_delimiter = \"12345678\"\n",
	 "2: recipient_delimiter is longer than 7 octets"},
	{LISTEN "device_separator = \"++\"\n",
	 "2: device_separator is \"none\", or one of: ! # $ % & * + , ; = ^ | ~"},
	{LISTEN "device_separator = \"\"\n", "2: device_separator is \"none\", or one of: "},
	{LISTEN "device_separator = \"-\"\n", "2: device_separator is \"none\", or one of: "},
	{LISTEN "device_separator = \"@\"\n", "2: device_separator is \"none\", or one of: "},
	{LISTEN "device_days = 36501\n", "2: device_days needs a number, not \"36501\""},
	{LISTEN "recent_days = 30d\n", "2: recent_days needs a number, not \"30d\""},
	{LISTEN "pop3s_listen = {\"*:995\"}\n", "2: pop3s_listen needs tls_certificate"},
	{LISTEN "\ntls_key = \"/k\"\n", "3: tls_key needs tls_certificate"},
	{LISTEN "tls_certificate = \"c.pem\"\n",
	 "2: tls_certificate needs an absolute path, not \"c.pem\""},
	{LISTEN "tls_certificates = {\"c.pem /k.pem\"}\n",
	 "2: tls_certificates needs \"/path/certificate.pem /path/key.pem\", not \"c.pem /k.pem\""},
	{LISTEN "tls_certificates = {\"/c.pem k.pem\"}\n", "2: tls_certificates needs"},
	{LISTEN "tls_certificates = {\"/c.pem /k.pem /d.pem\"}\n", "2: tls_certificates needs"},
	{LISTEN "tls_certificates = {\"\"}\n", "2: tls_certificates needs"},
	{LISTEN "tls_certificates = {\"/c.pem /k.pem\",\n\"/d.pem\",\n\"/c.pem\"}\n",
	 "4: tls_certificates: \"/c.pem\" is given twice"},
	{LISTEN "users_file = \"\"\n", "2: users_file may not be empty"},
	{LISTEN "users_file = \"users\"\n", "2: users_file needs an absolute path, not \"users\""},
	{LISTEN "pid_file = \"p\"\n", "2: pid_file needs an absolute path, not \"p\""},
	{LISTEN "mail_location = \"mail/%n\"\n",
	 "2: mail_location must begin with \"/\" or \"%h\""},
	/* Comments are lines like others. */
	{"# x\n\n//y\n/* z\n */ " LISTEN "hostname = # x\n= x\n", "7: "},
	{"pop3_listen = { # x\n\"*:110\", // y\n\"*:110\"}\n",
	 "3: pop3_listen: \"*:110\" is given"},
	{LISTEN "hostname = \n= x\n", "3: "},
	{LISTEN "hostname\n", "3: "},
	{LISTEN "hostname = \"two words\"\n",
	 "2: hostname is the name of a machine, without spaces"},
	{LISTEN "hostname = \"a\\nb\"\n", "2: hostname is"},
	{LISTEN "hostname = \"<a>\"\n", "2: hostname is"},
	{LISTEN "default_domain = \"a@b\"\n", "2: default_domain is a domain"},
	{LISTEN "default_domain = \"a b\"\n", "2: default_domain is a domain"},
	{LISTEN "default_domain = \"a/../b\"\n", "2: default_domain is a domain"},
	{"pop3_listen = {\"*:110 proxy\"}\n", " an address with \"proxy\" needs proxy_trusted"},
	{"pop3_listen = {\"*:110  proxy\"}\n", "1: pop3_listen: \"*:110  proxy\": the port must"},
	{"pop3_listen = {\"*:110 proxyd\"}\n", "1: pop3_listen: \"*:110 proxyd\": the port must"},
	{"lmtp_listen = {\"unix:/run/x proxy\"}\n",
	 "1: lmtp_listen: \"unix:/run/x proxy\": a proxy speaks TCP"},
	{"metrics_listen = {\"9110\"}\n", " there is nothing to listen on"},
	{LISTEN "metrics_listen = {\"unix:/run/m\"}\n", "2: metrics_listen: \"unix:/run/m\": only"},
	{LISTEN "metrics_listen = {\"0\"}\n", "2: metrics_listen: \"0\": the port must be"},
	{LISTEN "metrics_listen = {\"*:1 proxy\"}\n",
	 "2: metrics_listen: \"*:1 proxy\": only mail comes through a proxy"},
	{LISTEN "proxy_trusted = {\"proxy.example\"}\n",
	 "2: proxy_trusted: \"proxy.example\": the address must be numeric"},
	{LISTEN "proxy_trusted = {\"192.0.2.0/33\"}\n",
	 "2: proxy_trusted: \"192.0.2.0/33\": behind \"/\" stands a number from 0 to 32"},
	{LISTEN "proxy_trusted = {\"::/129\"}\n",
	 "2: proxy_trusted: \"::/129\": behind \"/\" stands a number from 0 to 128"},
	{LISTEN "proxy_trusted = {\"192.0.2.0/\"}\n", "2: proxy_trusted: \"192.0.2.0/\": behind"},
	{LISTEN "proxy_trusted = {\"192.0.2.1/24\"}\n",
	 "2: proxy_trusted: \"192.0.2.1/24\": the address has bits behind those of its network"},
	{LISTEN "max_bad_commands = +1\n", "2: unexpected token '+'"},
	{LISTEN "idle_timeout = 10m\nhostname = a+b\n", "3: unexpected token '+'"},
	{LISTEN "hostname = {a, b}\n", "2: "},
	{LISTEN "hostname = \"never ended\n", "3: "},
	{LISTEN "lmtp_listen = {\"*:24\", \"*:24\"}\n", "2: lmtp_listen: \"*:24\" is given twice"},
	{LISTEN "pop3s_listen = {\"127.0.0.1:110\"}\n",
	 "2: pop3s_listen: \"127.0.0.1:110\" is given twice"},
	{"\npop3_listen = {\"110\"}\n", "2: pop3_listen: \"110\": it should look like"},
	{"\npop3_listen = {\"*:0\"}\n", "2: pop3_listen: \"*:0\": the port must be"},
	{"\npop3_listen = {\"*:65536\"}\n", "2: pop3_listen: \"*:65536\": the port must be"},
	{"\npop3_listen = {\"*:\"}\n", "2: pop3_listen: \"*:\": the port must be"},
	{"\npop3_listen = {\":110\"}\n", "2: pop3_listen: \":110\": the address must be numeric"},
	{"\npop3_listen = {\"mail.example:110\"}\n",
	 "2: pop3_listen: \"mail.example:110\": the address must be numeric"},
	{"\npop3_listen = {\"::1:110\"}\n",
	 "2: pop3_listen: \"::1:110\": an IPv6 address needs brackets"},
	{"\npop3_listen = {\"[*]:110\"}\n", "2: pop3_listen: \"[*]:110\": the address must be"},
	{"\npop3_listen = {\"[127.0.0.1]:110\"}\n", "2: pop3_listen: \"[127.0.0.1]:110\": the"},
	{"\npop3_listen = {\"unix:/run/x\"}\n",
	 "2: pop3_listen: \"unix:/run/x\": only lmtp_listen and smtp_listen may be a UNIX socket"},
	{"\nsmtp_listen = {\"127.0.0.1:25 proxy\"}\n",
	 "2: smtp_listen: \"127.0.0.1:25 proxy\": SMTP is for programs on this machine, not for "
	 "those behind a proxy"},
	{"\nsmtp_listen = {\"*:25\"}\n", "2: smtp_listen: \"*:25\": " SMTP_LOOPBACK},
	{"\nsmtp_listen = {\"192.0.2.1:25\"}\n",
	 "2: smtp_listen: \"192.0.2.1:25\": " SMTP_LOOPBACK},
	{"\nsmtp_listen = {\"[::2]:25\"}\n", "2: smtp_listen: \"[::2]:25\": " SMTP_LOOPBACK},
	{"\nsmtp_listen = {\"[::ffff:127.0.0.1]:25\"}\n",
	 "2: smtp_listen: \"[::ffff:127.0.0.1]:25\": " SMTP_LOOPBACK},
	{"\nlmtp_listen = {\"unix:run/x\"}\n",
	 "2: lmtp_listen: \"unix:run/x\": a UNIX socket needs an absolute path"},
	{"\nlmtp_listen = {\"unix:/2345678901234567890123456789012345678901234567890123456789012345"
	 "678901234567890123456789012345678901234567890\"}\n",
	 "2: lmtp_listen: \"unix:/2345678901234567890123456789012345678901234567890123456789012345"
	 "678901234567890123456789012345678901234567890\": this path is too long"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		static struct config c, before;
		char want[ERR_TEXT_MAX];
		struct err err;

		memset(&c, 0x5a, sizeof(c));
		before = c;
		assert_int_equal(load(bad[i].text, &c, &err), -EINVAL);
		(void)snprintf(want, sizeof(want), "%s:%s", path, bad[i].message);
		if (strncmp(err.text, want, strlen(want)) != 0)
			fail_msg("case %zu: want \"%s\", have \"%s\"", i, want, err.text);
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

/* Which addresses are in a network; bit by bit, for its end need not be an octet's. */
static void test_networks(void **state)
{
	static const struct {
		const char *network;
		const char *in;
		const char *out;
	} cases[] = {
		{"192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.0"},
		{"192.0.2.0/24", "::ffff:192.0.2.255", "::ffff:192.0.3.0"},
		{"192.0.2.128/25", "::ffff:192.0.2.128", "::ffff:192.0.2.127"},
		{"0.0.0.0/0", "::ffff:255.0.0.1", "::1"},
		{"::/0", "::ffff:1.2.3.4", NULL},
		{"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
		{"2001:db8::7", "2001:db8::7", "2001:db8::6"},
		{"::ffff:192.0.2.0/120", "::ffff:192.0.2.9", "::ffff:192.0.3.9"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_network w;
		uint8_t address[16];

		assert_null(config_network(cases[i].network, &w));
		assert_int_equal(inet_pton(AF_INET6, cases[i].in, address), 1);
		assert_true(config_network_has(&w, 1, address));
		assert_false(config_network_has(&w, 0, address));
		if (cases[i].out == NULL)
			continue;
		assert_int_equal(inet_pton(AF_INET6, cases[i].out, address), 1);
		assert_false(config_network_has(&w, 1, address));
	}
}

static void test_too_many_networks(void **state)
{
	static struct config c;
	char text[2048] = LISTEN "proxy_trusted = {";
	size_t n = strlen(text);
	struct err err;

	(void)state;
	for (int i = 0; i <= CONFIG_NETWORKS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"192.0.2.%d\"",
				      i > 0 ? ", " : "", i);
	(void)snprintf(text + n, sizeof(text) - n, "}\n");
	assert_int_equal(load(text, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":2: proxy_trusted: more than 32 networks"));
}

static void test_too_many_addresses(void **state)
{
	static struct config c;
	char text[1024] = "pop3_listen = {";
	size_t n = strlen(text);
	struct err err;

	(void)state;
	for (int i = 0; i <= CONFIG_LISTEN_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"*:%d\"", i > 0 ? ", " : "",
				      1000 + i);
	(void)snprintf(text + n, sizeof(text) - n, "}\n");
	assert_int_equal(load(text, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":1: more than 16 addresses to listen on"));
}

static void test_nothing_to_listen_on(void **state)
{
	static struct config c;
	struct err err;

	(void)state;
	assert_int_equal(load("apop = no\n", &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "there is nothing to listen on"));
}

static void test_not_a_file(void **state)
{
	static struct config c;
	struct err err;

	(void)state;
	assert_int_equal(config_load("/nonexistent/x", &c, &err), -ENOENT);
	assert_string_equal(err.text, "cannot open '/nonexistent/x': No such file or directory");
	assert_int_equal(config_load("/tmp", &c, &err), -EINVAL);
	assert_string_equal(err.text, "/tmp: not a file with text");
	assert_int_equal(config_load("/dev/null", &c, &err), -EINVAL);
	write_octets(LISTEN "\0", sizeof(LISTEN));
	assert_int_equal(config_load(path, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, ": not a text file"));
}

static void test_key_in_the_certificate(void **state)
{
	static struct config c;

	(void)state;
	load_good(LISTEN "tls_certificate = \"/both.pem\"\n", &c);
	assert_string_equal(c.tls_key, "/both.pem");
}

static void test_certificates(void **state)
{
	static struct config c;

	(void)state;
	load_good(LISTEN, &c);
	assert_false(config_has_tls(&c));
	load_good(LISTEN "tls_certificate = \"/a.pem\"\n", &c);
	assert_true(config_has_tls(&c));
	assert_int_equal(c.n_tls_certificates, 0);
	load_good("pop3s_listen = {\"*:995\"}\n"
		  "tls_certificates = {\"/c.pem  \t/k.pem\", \"/both.pem\"}\n",
		  &c);
	assert_true(config_has_tls(&c));
	assert_string_equal(c.tls_certificate, "");
	assert_int_equal(c.n_tls_certificates, 2);
	assert_string_equal(c.tls_certificates[0].certificate, "/c.pem");
	assert_string_equal(c.tls_certificates[0].key, "/k.pem");
	assert_string_equal(c.tls_certificates[1].certificate, "/both.pem");
	assert_string_equal(c.tls_certificates[1].key, "/both.pem");
}

static void test_too_many_certificates(void **state)
{
	char text[4096] = LISTEN "tls_certificates = {\"/0\"";
	static struct config c;
	size_t n = strlen(text);
	struct err err;

	(void)state;
	for (int i = 1; i <= CONFIG_CERTIFICATES_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ", \"/%d\"", i);
	(void)snprintf(text + n, sizeof(text) - n, "}\n");
	write_octets(text, strlen(text));
	assert_int_equal(config_load(path, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 64 certificates"));
}

static void test_warnings(void **state)
{
	static struct config c;

	(void)state;
	load_good(LISTEN "idle_timeout = 599\n", &c);
	assert_non_null(strstr(config_warning(&c, 0), "idle_timeout"));
	load_good(LISTEN "idle_timeout = 1\nplaintext_login = send-passwords-in-clear\n", &c);
	assert_non_null(strstr(config_warning(&c, 1), "plaintext_login"));
	assert_null(config_warning(&c, 2));
	load_good(LISTEN "auth_penalty_max = 1m\n", &c);
	assert_non_null(strstr(config_warning(&c, 0), "auth_penalty_max"));
}

/* Every option says what it is, and its default, where it has one, is a value it takes. */
static void test_table(void **state)
{
	unsigned n = 0;

	(void)state;
	for (const struct config_option *o; (o = config_option(n)) != NULL; n++) {
		static struct config c;
		char text[1024];

		assert_true(o->what[0] != '\0');
		if (strcmp(o->type, "list") == 0)
			continue;
		(void)snprintf(text, sizeof(text), LISTEN "%s = \"%s\"\n", o->name, o->fallback);
		load_good(text, &c);
	}
	assert_true(n > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_safe),
		cmocka_unit_test(test_struct_has_no_noise),
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_too_many_networks),
		cmocka_unit_test(test_too_many_addresses),
		cmocka_unit_test(test_nothing_to_listen_on),
		cmocka_unit_test(test_not_a_file),
		cmocka_unit_test(test_key_in_the_certificate),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_too_many_certificates),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("config", tests, setup, teardown);
}
