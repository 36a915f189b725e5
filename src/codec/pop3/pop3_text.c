/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_text.h"

#include <assert.h>

static const struct {
	const char *tag, *name;
} languages[POP3_LANGUAGES] = {
	[POP3_LANGUAGE_I_DEFAULT] = {"i-default", "English"},
	[POP3_LANGUAGE_EN] = {"en", "English"},
	[POP3_LANGUAGE_JA] = {"ja", "日本語"},
};

/* clang-format off */
static const struct {
	const char *english, *japanese;
} texts[] = {
	/* Any command */
	{ "no such command", "そのようなコマンドはありません" },
	{ "log in first", "先にログインしてください" },
	{ "you are already logged in", "すでにログインしています" },
	{ "this session is over", "このセッションは終わりました" },
	{ "the line is too long", "行が長すぎます" },
	{ "not a message number", "メッセージ番号ではありません" },
	{ "not a number of lines", "行数ではありません" },
	{ "not an MD5 digest in hexadecimal", "16 進数の MD5 ダイジェストではありません" },
	{ "not a mechanism", "認証方式の名前ではありません" },
	{ "not a language tag", "言語タグではありません" },
	{ "control characters can't be used here", "ここに制御文字は使えません" },
	{ "good bye", "さようなら" },

	/* Their arguments */
	{ "APOP needs a name and a digest", "APOP には名前とダイジェストが必要です" },
	{ "AUTH takes a mechanism and perhaps one initial response", "AUTH の引数は認証方式と、あれば最初の応答一つです" },
	{ "CAPA takes no argument", "CAPA に引数はありません" },
	{ "DELE needs a message number", "DELE にはメッセージ番号が必要です" },
	{ "LANG takes one language tag or nothing", "LANG の引数は言語タグ一つか、なしです" },
	{ "LIST takes one message number or nothing", "LIST の引数はメッセージ番号一つか、なしです" },
	{ "NOOP takes no argument", "NOOP に引数はありません" },
	{ "PASS needs a password", "PASS にはパスワードが必要です" },
	{ "QUIT takes no argument", "QUIT に引数はありません" },
	{ "RETR needs a message number", "RETR にはメッセージ番号が必要です" },
	{ "RSET takes no argument", "RSET に引数はありません" },
	{ "STAT takes no argument", "STAT に引数はありません" },
	{ "STLS takes no argument", "STLS に引数はありません" },
	{ "TOP needs a message number and a number of lines", "TOP にはメッセージ番号と行数が必要です" },
	{ "UIDL takes one message number or nothing", "UIDL の引数はメッセージ番号一つか、なしです" },
	{ "USER needs a name", "USER には名前が必要です" },
	{ "UTF8 takes no argument", "UTF8 に引数はありません" },

	/* Before login */
	{ "now PASS", "次は PASS です" },
	{ "{1}: not without TLS", "{1}: TLS なしでは使えません" },
	{ "{1}: not without TLS, say STLS first", "{1}: TLS なしでは使えません。先に STLS を送ってください" },
	{ "PASS: say USER first", "PASS: 先に USER を送ってください" },
	{ "APOP is not offered here", "ここでは APOP は使えません" },
	{ "STLS: TLS is active already", "STLS: TLS はすでに始まっています" },
	{ "STLS is not offered here", "ここでは STLS は使えません" },
	{ "begin TLS", "TLS を始めてください" },
	{ "AUTH was cancelled", "AUTH は取り消されました" },
	{ "AUTH: this is not base64", "AUTH: base64 ではありません" },
	{ "AUTH: this is too long", "AUTH: 長すぎます" },
	{ "AUTH: this mechanism is not offered here", "AUTH: ここではこの認証方式は使えません" },
	{ "AUTH: no memory for such a long line", "AUTH: これほど長い行のためのメモリーがありません" },
	{ "AUTH: the exchange went wrong", "AUTH: やり取りに失敗しました" },
	{ "wrong name or password", "名前かパスワードが違います" },
	{ "too many logins, try again later", "ログインが多すぎます。後でもう一度試してください" },
	{ "another session has this maildrop open", "このメールボックスは別のセッションが使っています" },
	{ "cannot log in now, try again later", "今はログインできません。後でもう一度試してください" },
	{ "cannot log in: the server's operator must mend something", "ログインできません。サーバーの管理者による修正が必要です" },
	{ "no space left, try again later", "空き容量がありません。後でもう一度試してください" },
	{ "too soon after the last login", "前回のログインから間がありません" },
	{ "try again later", "後でもう一度試してください" },

	{ "UTF8 it is", "UTF8 を使います" },

	/* The maildrop */
	{ "{1} message ({2} octets)", "{1} 通 ({2} オクテット)" },
	{ "{1} messages ({2} octets)", "{1} 通 ({2} オクテット)" },
	{ "{1} octets", "{1} オクテット" },
	{ "message {1} deleted", "メッセージ {1} を削除しました" },
	{ "message {1} stays here: a login for recent mail deletes nothing", "メッセージ {1} はここに残ります。最近のメールを見るログインでは何も削除されません" },
	{ "{1}: message {2} {3}", "{1}: メッセージ {2} {3}" },
	{ "does not exist", "は存在しません" },
	{ "is deleted", "は削除されています" },
	{ "cannot be found in the index now", "は今、索引に見つかりません" },
	{ "cannot be marked now: no memory", "には今、印を付けられません (メモリー不足)" },
	{ "was taken away or changed by another program", "は別のプログラムが取り去ったか変更しました" },
	{ "cannot be read", "は読めません" },
	{ "cannot be read now", "は今は読めません" },
	{ "QUIT: some deleted messages not removed", "QUIT: 削除したメッセージの一部が残っています" },

	/* Lists */
	{ "capability list follows", "使える機能は次のとおりです" },
	{ "mechanisms follow", "使える認証方式は次のとおりです" },
	{ "language list follows", "使える言語は次のとおりです" },
	{ "language changed", "言語を切り替えました" },
	{ "LANG: no such language here", "LANG: ここにその言語はありません" },

	/* The server */
	{ "the mail storage went away, log in again", "メールの保管プロセスが止まりました。もう一度ログインしてください" },
	{ "this takes too long, try again later", "時間がかかりすぎています。後でもう一度試してください" },
	{ "the server is being stopped, try again later", "サーバーを停止しています。後でもう一度試してください" },
};
/* clang-format on */

const char *pop3_language_tag(enum pop3_language language)
{
	assert(language < POP3_LANGUAGES);
	return languages[language].tag;
}

const char *pop3_language_name(enum pop3_language language)
{
	assert(language < POP3_LANGUAGES);
	return languages[language].name;
}

/* "ja-JP" becomes "ja", "ja" nothing. */
static struct span shorter(struct span range)
{
	do {
		range.n--;
	} while (range.n > 0 && range.p[range.n] != '-');
	return range;
}

bool pop3_language_find(struct span range, enum pop3_language *ret_language)
{
	if (span_eq(range, SPAN_LIT("*"))) {
		*ret_language = POP3_LANGUAGE_I_DEFAULT;
		return true;
	}
	for (; range.n > 0; range = shorter(range)) {
		for (unsigned i = 0; i < POP3_LANGUAGES; i++) {
			if (span_eq_nocase(range, span_str(languages[i].tag))) {
				*ret_language = (enum pop3_language)i;
				return true;
			}
		}
	}
	return false;
}

struct span pop3_text(enum pop3_language language, const char *english)
{
	const struct span text = span_str(english);

	assert(language < POP3_LANGUAGES);
	if (language != POP3_LANGUAGE_JA)
		return text;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (span_eq(text, span_str(texts[i].english)))
			return span_str(texts[i].japanese);
	}
	return text;
}

bool pop3_text_fill(struct out *out, enum pop3_language language, const char *english,
		    const struct span *args, size_t n)
{
	struct span text = pop3_text(language, english);
	const size_t before = out->n;

	while (text.n > 0) {
		const size_t plain = span_find(text, '{');

		if (!out_put(out, span_of(text.p, plain)))
			return out_undo(out, before);
		span_skip(&text, plain);
		if (text.n == 0)
			break;

		/* Texts are ours: what a brace begins is "{1}" to "{9}". */
		const size_t i = (size_t)(text.p[1] - '1');

		assert(text.n >= 3 && i < n && text.p[2] == '}');
		if (!out_put(out, args[i]))
			return out_undo(out, before);
		span_skip(&text, 3);
	}
	return true;
}
