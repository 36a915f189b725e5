/* SPDX-License-Identifier: MIT */
/*
 * fetch_status.h - how a session with a server ended. main.c makes of each the exit
 * status that restante(1) tells.
 */
#pragma once

enum fetch_status {
	FETCH_OK,
	FETCH_REFUSED,     /* the server, or the destination, wouldn't have some messages */
	FETCH_DEFERRED,    /* the destination will have some messages later, it says */
	FETCH_STOPPED,     /* by a signal */
	FETCH_BUSY,        /* another restante is at it */
	FETCH_LATER,       /* the server says so: IN-USE, LOGIN-DELAY, SYS/TEMP */
	FETCH_NETWORK,     /* no connection, or none any more */
	FETCH_NO_HOST,     /* there is no such name */
	FETCH_UNAVAILABLE, /* the server can't, now or ever: SYS/PERM */
	FETCH_LOGIN,       /* user or password is wrong */
	FETCH_INSECURE,    /* no TLS, or nothing that shows who is at the other end */
	FETCH_PROTOCOL,    /* the server says what makes no sense */
	FETCH_DISK,        /* messages can't be stored */
	FETCH_STATE,       /* what was fetched can't be remembered */
	FETCH_CONFIG,      /* there is no password; what the configuration names isn't there */
	FETCH_MEMORY,
	FETCH_STATUSES
};
