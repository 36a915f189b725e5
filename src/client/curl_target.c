/* SPDX-License-Identifier: MIT */
#include "client/curl_target.h"

#include <errno.h>
#include <pthread.h>

static void init_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

CURL *curl_target_new(const struct destination_options *o, const char *url, char *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct account *const a = o->account;
	CURL *c;

	(void)pthread_once(&once, init_curl);
	c = curl_easy_init();
	if (c == NULL)
		return NULL;
	error[0] = '\0';
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "imap,imaps,smtp,smtps");
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)a->timeout);
	(void)curl_easy_setopt(c, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)a->timeout);
	(void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)a->timeout);
	(void)curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (a->deliver_cafile[0] != '\0') {
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, a->deliver_cafile);
		(void)curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	if (a->deliver_user[0] != '\0') {
		(void)curl_easy_setopt(c, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
		(void)curl_easy_setopt(c, CURLOPT_USERNAME, a->deliver_user);
		(void)curl_easy_setopt(c, CURLOPT_PASSWORD, o->password);
	}
	return c;
}

int curl_target_failed(CURLcode code, const char *url, const char *error, struct err *err)
{
	const char *const text = error[0] != '\0' ? error : curl_easy_strerror(code);
	int e = EHOSTDOWN;

	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		e = ENOMEM;
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_USE_SSL_FAILED:
		e = EKEYREJECTED;
		break;
	case CURLE_LOGIN_DENIED:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_URL_MALFORMAT:
		e = EINVAL;
		break;
	default:
		break;
	}
	return err_set(err, e, "%s: %s", url, text);
}
