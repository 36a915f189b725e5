/* SPDX-License-Identifier: MIT */
#include "net/tcp_sent.h"

/* Not netinet/tcp.h, whose struct tcp_info ends before tcpi_bytes_acked. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

bool tcp_sent(int fd, struct tcp_sent *ret_sent)
{
	struct tcp_info info = {0};
	socklen_t n = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
		return false;
	*ret_sent = (struct tcp_sent){
		.acked = info.tcpi_bytes_acked,
		.pending = info.tcpi_unacked != 0 || info.tcpi_notsent_bytes != 0,
	};
	return true;
}
