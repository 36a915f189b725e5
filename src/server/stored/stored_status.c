/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "server/stored/stored_priv.h"

/*
 * RFC 3206: [SYS/TEMP] is what may be gone when the client asks again, [SYS/PERM]
 * what stays until somebody mends it. A disk that fails to read may do better next
 * time; permissions won't.
 */
enum ipc_status stored_status(int r)
{
	switch (-r) {
	case 0:
		return IPC_OK;
	case EBUSY:
	case EAGAIN:
		return IPC_IN_USE;
	case ENOSPC:
	case EDQUOT:
		return IPC_NO_SPACE;
	case ENOENT:
	case ESTALE:
		return IPC_GONE;
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOTDIR:
	case EISDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case EINVAL:
		return IPC_PERMANENT;
	default:
		return IPC_TEMPORARY;
	}
}

/*
 * Never permanent: a 5xx makes the sending MTA bounce the mail, and nothing that
 * can go wrong with our disk is the sender's fault. Kept in its queue, the mail
 * comes in when the operator has mended what the log names, or the user, who has no
 * room left, has fetched and deleted.
 */
enum ipc_status stored_delivery_status(int r)
{
	switch (-r) {
	case 0:
		return IPC_OK;
	case ENOSPC:
	case EDQUOT:
		return IPC_NO_SPACE;
	case -STORE_OVER_QUOTA:
		return IPC_OVER_QUOTA;
	default:
		return IPC_TEMPORARY;
	}
}
