/* SPDX-License-Identifier: MIT */
/*
 * What a listener says is a client's certificate: whatever it is, nobody is let in by it but who
 * has one that our CA has made, and it has made none.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/client_certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int true_always)
{
	if (!true_always)
		abort();
}

/* Its key is thrown away. */
static const char ca[] = "-----BEGIN CERTIFICATE-----\n"
			 "MIIBdTCCARugAwIBAgIUAcalYBEv8llX7XLF3fTXAphk8lEwCgYIKoZIzj0EAwIw\n"
			 "DzENMAsGA1UEAwwEZnV6ejAgFw0yNjExMjUwNTQyMzRaGA8yMTI2MTEwMTA1NDIz\n"
			 "NFowDzENMAsGA1UEAwwEZnV6ejBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHy0\n"
			 "4963dHFWl7GXrKVb2GwHQ1y1NKfCact7zVwtqNXi2VMQou66WFbhle0kl302/gEl\n"
			 "6yjTP5rUd8yaSnWq+MWjUzBRMB0GA1UdDgQWBBTWRmmGcH9iS451Oqx/JBnWCrF8\n"
			 "VDAfBgNVHSMEGDAWgBTWRmmGcH9iS451Oqx/JBnWCrF8VDAPBgNVHRMBAf8EBTAD\n"
			 "AQH/MAoGCCqGSM49BAMCA0gAMEUCIEAINNHUzc8BrqJzF3cpcc/caXJF7uD+vF0T\n"
			 "6cGEyreWAiEArMn3DaNlfNTiV4lpRvngguQwF5KX3aRV/iMNeMebtjM=\n"
			 "-----END CERTIFICATE-----\n";

static struct client_authority *open_authority(void)
{
	char path[] = "/tmp/restante-fuzz-XXXXXX";
	const int fd = mkstemp(path);
	struct client_authority *a = NULL;

	need(fd >= 0 && write(fd, ca, sizeof(ca) - 1) == sizeof(ca) - 1);
	need(client_authority_new(path, &a, NULL) == 0);
	(void)unlink(path);
	(void)close(fd);
	return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct client_authority *a;
	struct client_names names;

	if (a == NULL)
		a = open_authority();
	/* The CA's own has no address in it either. */
	need(client_certificate_names(a, span_of((const char *)data, size), CLIENT_NAME_EMAIL,
				      &names) != NULL);
	need(names.n == 0);
	return 0;
}
