// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Tests what reads requests, without a kernel. Built with KMESH_FUZZ it is fed by libFuzzer instead:
 * whatever the bytes, and however they are cut, the verdict is the same, and nothing is read beyond them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../kmesh_http.h"

#define REQUIRE(condition)                                                                      \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* A head that was read, in memory of its own: where it ends, the sanitizer watches. */
struct request {
	struct kmesh_http http;
	enum kmesh_http_verdict verdict;
	u8 *text;
};

static void read_request(struct request *request, const u8 *bytes, u32 size, u32 step)
{
	u32 at, extra;

	memset(request, 0, sizeof(*request));
	for (at = 0; at < size && request->verdict == KMESH_HTTP_INCOMPLETE;) {
		at = size - at < step ? size : at + step;
		free(request->text);
		request->text = malloc(at);
		memcpy(request->text, bytes, at);
		request->verdict = kmesh_http_read(&request->http, request->text, at);
	}
	if (request->verdict != KMESH_HTTP_COMPLETE)
		return;
	extra = kmesh_http_extra(&request->http);
	request->text = realloc(request->text, at + extra);
	kmesh_http_finish(&request->http, request->text, at);
}

static int match(const struct request *request, u8 kind, u8 flags, const char *key, const char *value)
{
	u32 size = sizeof(struct kmesh_http_matcher) + strlen(key) + strlen(value);
	struct kmesh_http_matcher *matcher = calloc(1, size);
	int result;

	matcher->kind = kind;
	matcher->flags = flags;
	matcher->key_size = strlen(key);
	matcher->value_size = strlen(value);
	memcpy(matcher->text, key, strlen(key));
	memcpy(matcher->text + strlen(key), value, strlen(value));
	result = kmesh_http_match(&request->http, request->text, matcher, size);
	REQUIRE(kmesh_http_match(&request->http, request->text, matcher, size - 1) == -EINVAL);
	free(matcher);
	return result;
}

#ifdef KMESH_FUZZ

static void ask(const struct request *request, const char *key)
{
	struct kmesh_http_value value = {};
	bool is_there = kmesh_http_find(&request->http, request->text, (const u8 *)key, strlen(key), &value);
	u64 hash = kmesh_http_part_hash(&request->http, request->text, (const u8 *)key, strlen(key), 0, 0);
	u64 last = kmesh_http_part_hash(&request->http, request->text, (const u8 *)key, strlen(key), -1, 1);
	u32 at, sum = 0;

	REQUIRE(is_there == (hash != 0));
	REQUIRE((is_there && value.size) == (last != 0));
	for (at = 0; at < value.size; at++)
		sum += value.text[at];
	REQUIRE(match(request, KMESH_MATCH_PRESENT, 0, key, "") == is_there);
	REQUIRE(match(request, KMESH_MATCH_CONTAINS, 0, key, "") == is_there);
	REQUIRE(match(request, KMESH_MATCH_SEGMENTS, 0, key, "/a/") >= 0 && sum + 1);
}

/* The bytes are a matcher as well, and a key. */
static void ask_anything(const struct request *request, const u8 *bytes, u32 size)
{
	struct kmesh_http_value value;

	kmesh_http_find(&request->http, request->text, bytes, size < 64 ? size : 64, &value);
	kmesh_http_match(&request->http, request->text, bytes, size);
	kmesh_http_part_hash(&request->http, request->text, bytes, size < 9 ? size : 9, (s32)size - 30, 1);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	static const char *const keys[] = { ":method", ":path",	 ":host", ":port", ":target", ":version",
					    "?a",      "?",	 "host",  "a",	   "b",	      "accept",
					    "",	       "te:bad", ":",	  "cookie" };
	struct request whole, pieces;
	size_t number;
	u32 step = size ? bytes[size - 1] % 16 + 1 : 1;

	if (size > KMESH_HTTP_HEAD_MAX)
		return -1;
	read_request(&whole, bytes, size, size + 1);
	read_request(&pieces, bytes, size, step);
	REQUIRE(whole.verdict == pieces.verdict);
	if (whole.verdict == KMESH_HTTP_COMPLETE) {
		REQUIRE(!memcmp(&whole.http.method, &pieces.http.method, sizeof(whole.http.method)));
		REQUIRE(whole.http.next == pieces.http.next && whole.http.next <= size);
		for (number = 0; number < sizeof(keys) / sizeof(keys[0]); number++) {
			if (*keys[number])
				ask(&whole, keys[number]);
		}
		ask_anything(&whole, bytes, size);
		ask_anything(&pieces, bytes + whole.http.next, size - whole.http.next);
	}
	free(whole.text);
	free(pieces.text);
	return 0;
}

#else

#define LINE "GET /a/b?x=1 HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

static void check_verdict(const char *head, enum kmesh_http_verdict verdict)
{
	u32 step;

	for (step = 1; step <= strlen(head); step += step < 4 ? 1 : strlen(head)) {
		struct request request;

		read_request(&request, (const u8 *)head, strlen(head), step);
		if (request.verdict != verdict) {
			fprintf(stderr, "verdict %d instead of %d by %u bytes: %s\n", request.verdict,
				verdict, step, head);
			abort();
		}
		free(request.text);
	}
}

/* clang-format off */
static const char *const complete[] = {
	LINE HOST "\r\n",
	"\r\n" LINE HOST "\r\n",
	LINE "hOST: a:80\r\n\r\nbody",
	LINE "Host: [::1]:8080\r\n\r\n",
	LINE "Host: a:\r\n\r\n",
	"GET / HTTP/1.0\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
	"GET http://b.c/?q HTTP/1.1\r\nHost:\r\n\r\n",
	"GET HTTPS://b.c:1 HTTP/1.1\r\n" HOST "\r\n",
	LINE HOST "Content-Length: 9223372036854775807\r\n\r\n",
	LINE HOST "Transfer-Encoding: Chunked\r\n\r\n",
	LINE HOST "Expect: 100-Continue\r\n\r\n",
	LINE HOST "A:\t b \xff\t \r\nB:\r\n\r\n",
	LINE HOST "Connection: a,,b , c\r\n\r\n",
};
static const char *const refused[] = {
	"\x16\x03\x01",
	"\n",
	"\r\r",
	" ",
	"GET  / HTTP/1.1\r\n",
	"GET /\r\n",
	"GET / \r\n",
	"GET a HTTP/1.1\r\n",
	"GET /# HTTP/1.1\r\n",
	"GET /\x80 HTTP/1.1\r\n",
	"PRI * HTTP/2.0\r\n\r\n",
	"CONNECT a:1 HTTP/1.1\r\n",
	"GET * HTTP/1.1\r\n",
	"options * HTTP/1.1\r\n",
	"GET / HTTP/1.2\r\n",
	"GET / HTTP/1.1\n",
	"GET / http/1.1\r\n",
	"GET / HTTP/1.1 \r\n",
	"GET http:// HTTP/1.1\r\n",
	"GET http://u@a/ HTTP/1.1\r\n",
	"GET ftp://a/ HTTP/1.1\r\n",
	"GET http://a%41/ HTTP/1.1\r\n",
	"GET http://:1/ HTTP/1.1\r\n",
	LINE "\r\n",
	LINE "Host:\r\n\r\n",
	LINE "Host: :1\r\n\r\n",
	LINE "Host: a b\r\n\r\n",
	LINE "Host: a:65536\r\n\r\n",
	LINE "Host: a:x\r\n\r\n",
	LINE "Host: a,b\r\n\r\n",
	LINE "Host: [::1\r\n\r\n",
	LINE "Host: [1]\r\n\r\n",
	LINE "Host: [::g]\r\n\r\n",
	LINE HOST HOST "\r\n",
	LINE HOST " folded\r\n\r\n",
	LINE HOST "A : b\r\n\r\n",
	LINE HOST ": b\r\n\r\n",
	LINE HOST "A\r\n\r\n",
	LINE HOST "A: b\n\r\n",
	LINE HOST "A: b\rc\r\n\r\n",
	LINE HOST "A: \x01\r\n\r\n",
	LINE HOST "A: \x7f\r\n\r\n",
	LINE HOST "\n",
	LINE HOST "\r\r",
	LINE HOST "Content-Length: \r\n\r\n",
	LINE HOST "Content-Length: +1\r\n\r\n",
	LINE HOST "Content-Length: 9223372036854775808\r\n\r\n",
	LINE HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
	LINE HOST "Content-Length: 1, 1\r\n\r\n",
	LINE HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	LINE HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
	LINE HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
	LINE HOST "Expect: else\r\n\r\n",
	"GET http://b/ HTTP/1.1\r\nHost: u@a\r\n\r\n",
	"GET http://b/ HTTP/1.1\r\n\r\n",
};
static const char *const incomplete[] = {
	"\r",
	"\r\n",
	"GET",
	"GET ",
	"GET /",
	"GET / ",
	"GET / HTTP/1.1",
	"GET / HTTP/1.1\r",
	LINE,
	LINE "\r",
	LINE "Hos",
	LINE "Host:",
	LINE "Host: a",
	LINE "Host: a\r",
	LINE HOST,
	LINE HOST "\r",
	"PRI ",
};
/* clang-format on */

static void test_verdicts(void)
{
	size_t at;

	for (at = 0; at < sizeof(complete) / sizeof(complete[0]); at++)
		check_verdict(complete[at], KMESH_HTTP_COMPLETE);
	for (at = 0; at < sizeof(refused) / sizeof(refused[0]); at++)
		check_verdict(refused[at], KMESH_HTTP_REFUSED);
	for (at = 0; at < sizeof(incomplete) / sizeof(incomplete[0]); at++)
		check_verdict(incomplete[at], KMESH_HTTP_INCOMPLETE);
}

static void test_bounds(void)
{
	struct request request;
	char head[8193], *end;
	int lines, options;

	for (lines = KMESH_HTTP_FIELDS - 1; lines <= KMESH_HTTP_FIELDS; lines++) {
		int line;

		end = head + sprintf(head, LINE HOST);
		for (line = 0; line < lines; line++)
			end += sprintf(end, "A: %d\r\n", line);
		strcpy(end, "\r\n");
		check_verdict(head, lines < KMESH_HTTP_FIELDS ? KMESH_HTTP_COMPLETE : KMESH_HTTP_REFUSED);
	}
	for (options = 64; options <= 65; options++) {
		int option;

		end = head + sprintf(head, LINE HOST "Connection: ");
		for (option = 0; option < options; option++)
			end += sprintf(end, "a,");
		strcpy(end, "\r\n\r\n");
		check_verdict(head, options == 64 ? KMESH_HTTP_COMPLETE : KMESH_HTTP_REFUSED);
	}
	/* As large as it may be, of lines that are joined. */
	end = head + sprintf(head, LINE "Host: A\r\n");
	for (lines = 0; lines < 98; lines++)
		end += sprintf(end, "b:\r\n");
	end += sprintf(end, "b:");
	memset(end, 'c', KMESH_HTTP_HEAD_MAX - 4 - (end - head));
	strcpy(head + KMESH_HTTP_HEAD_MAX - 4, "\r\n\r\n");
	read_request(&request, (const u8 *)head, KMESH_HTTP_HEAD_MAX, KMESH_HTTP_HEAD_MAX);
	REQUIRE(request.verdict == KMESH_HTTP_COMPLETE);
	REQUIRE(match(&request, KMESH_MATCH_PREFIX, 0, "B", ", , ") == 1);
	REQUIRE(match(&request, KMESH_MATCH_SUFFIX, 0, "B", "ccc") == 1);
	free(request.text);
}

static void check_part(const char *head, const char *key, const char *wanted)
{
	struct kmesh_http_value value;
	struct request request;
	bool is_there;

	read_request(&request, (const u8 *)head, strlen(head), strlen(head));
	REQUIRE(request.verdict == KMESH_HTTP_COMPLETE);
	is_there = kmesh_http_find(&request.http, request.text, (const u8 *)key, strlen(key), &value);
	if (is_there != !!wanted ||
	    (wanted && (value.size != strlen(wanted) || memcmp(value.text, wanted, value.size)))) {
		fprintf(stderr, "%s is not %s: %s\n", key, wanted ? wanted : "missing", head);
		abort();
	}
	free(request.text);
}

static void test_parts(void)
{
	static const char head[] = "GET /a/b?x=1&y&=z&x=2&&w=a=b HTTP/1.1\r\nhost: A.b:8\r\nC: 1\r\nD: 2\r\n"
				   "c:  3\t\r\nc:\r\nContent-Length: 2\r\n\r\nok";
	static const char *const parts[][2] = {
		{ ":method", "GET" },
		{ ":path", "/a/b" },
		{ ":host", "a.b" },
		{ ":port", "8" },
		{ ":target", "/a/b?x=1&y&=z&x=2&&w=a=b" },
		{ ":version", "HTTP/1.1" },
		{ "?x", "1" },
		{ "?y", "" },
		{ "?", "z" },
		{ "?w", "a=b" },
		{ "?X", NULL },
		{ "?z", NULL },
		{ "C", "1, 3, " },
		{ "d", "2" },
		{ "Host", "A.b:8" },
		{ "x", NULL },
		{ ":hos", NULL },
		{ ":hostx", NULL },
		{ ":", NULL },
		{ "content-length", "2" },
	};
	size_t at;

	for (at = 0; at < sizeof(parts) / sizeof(parts[0]); at++)
		check_part(head, parts[at][0], parts[at][1]);
	check_part("GET http://B?q HTTP/1.1\r\n" HOST "\r\n", ":path", "/");
	check_part("GET http://B?q HTTP/1.1\r\n" HOST "\r\n", ":host", "b");
	check_part("GET http://B?q HTTP/1.1\r\n" HOST "\r\n", ":port", "");
	check_part("GET http://B?q HTTP/1.1\r\n" HOST "\r\n", "?q", "");
	check_part("GET http://B?q HTTP/1.1\r\n" HOST "\r\n", "host", "a");
	check_part("GET / HTTP/1.1\r\nHost: [FE80::1]:9\r\n\r\n", ":host", "[fe80::1]");
	check_part("GET / HTTP/1.0\r\n\r\n", ":host", NULL);
	check_part("GET / HTTP/1.0\r\n\r\n", ":port", NULL);
	check_part("GET / HTTP/1.0\r\n\r\n", "?", NULL);
	check_part("GET /? HTTP/1.0\r\n\r\n", "?", "");
	check_part("OPTIONS * HTTP/1.0\r\n\r\n", ":path", "*");
}

static void test_matchers(void)
{
	static const char head[] = "GET /Cart/items HTTP/1.1\r\nHost: a\r\nE:\r\nF: one\r\nf: two\r\n\r\n";
	static const struct {
		int wanted;
		u8 kind;
		u8 flags;
		const char *key;
		const char *value;
	} cases[] = {
		{ 1, KMESH_MATCH_EXACT, 0, "f", "one, two" },
		{ 0, KMESH_MATCH_EXACT, 0, "f", "one" },
		{ 1, KMESH_MATCH_EXACT, KMESH_MATCH_IGNORE_CASE, "F", "ONE, two" },
		{ 1, KMESH_MATCH_EXACT, 0, "e", "" },
		{ 0, KMESH_MATCH_EXACT, 0, "g", "" },
		{ 0, KMESH_MATCH_EXACT, KMESH_MATCH_INVERT, "g", "x" },
		{ 1, KMESH_MATCH_EXACT, KMESH_MATCH_INVERT | KMESH_MATCH_MISSING_IS_EMPTY, "g", "x" },
		{ 1, KMESH_MATCH_EXACT, KMESH_MATCH_MISSING_IS_EMPTY, "g", "" },
		{ 0, KMESH_MATCH_PREFIX, 0, ":path", "/cart" },
		{ 1, KMESH_MATCH_PREFIX, KMESH_MATCH_IGNORE_CASE, ":path", "/cart/it" },
		{ 0, KMESH_MATCH_PREFIX, 0, ":path", "/Cart/items/and/more" },
		{ 1, KMESH_MATCH_SUFFIX, 0, ":path", "items" },
		{ 0, KMESH_MATCH_SUFFIX, KMESH_MATCH_INVERT, ":path", "items" },
		{ 1, KMESH_MATCH_CONTAINS, 0, ":path", "t/i" },
		{ 0, KMESH_MATCH_CONTAINS, 0, ":path", "T/I" },
		{ 1, KMESH_MATCH_PRESENT, 0, "e", "" },
		{ 0, KMESH_MATCH_PRESENT, 0, "g", "" },
		{ 1, KMESH_MATCH_PRESENT, KMESH_MATCH_INVERT, "g", "" },
		{ 0, KMESH_MATCH_PRESENT, KMESH_MATCH_INVERT, "e", "" },
		{ 1, KMESH_MATCH_SEGMENTS, 0, ":path", "/" },
		{ 1, KMESH_MATCH_SEGMENTS, 0, ":path", "" },
		{ 1, KMESH_MATCH_SEGMENTS, 0, ":path", "/Cart" },
		{ 1, KMESH_MATCH_SEGMENTS, 0, ":path", "/Cart//" },
		{ 0, KMESH_MATCH_SEGMENTS, 0, ":path", "/Car" },
		{ 1, KMESH_MATCH_SEGMENTS, KMESH_MATCH_IGNORE_CASE, ":path", "/cart/ITEMS" },
		{ 0, KMESH_MATCH_SEGMENTS, 0, ":path", "/Cart/items/x" },
		{ -EINVAL, 0, 0, "e", "" },
		{ -EINVAL, KMESH_MATCH_SEGMENTS + 1, 0, "e", "" },
		{ -EINVAL, KMESH_MATCH_EXACT, 8, "e", "" },
		{ -EINVAL, KMESH_MATCH_EXACT, 0, "", "e" },
	};
	struct request request;
	size_t at;

	read_request(&request, (const u8 *)head, sizeof(head) - 1, sizeof(head));
	for (at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
		int result = match(&request, cases[at].kind, cases[at].flags, cases[at].key, cases[at].value);

		if (result != cases[at].wanted) {
			fprintf(stderr, "matcher %zu: %d instead of %d\n", at, result, cases[at].wanted);
			abort();
		}
	}
	free(request.text);
}

static void test_hashes(void)
{
	static const char head[] = "GET /Abc HTTP/1.1\r\nHost: a\r\n\r\n";
	struct request request;

#define HASH(key, length, flags) \
	kmesh_http_part_hash(&request.http, request.text, (const u8 *)(key), strlen(key), length, flags)
#define PLAIN(text) kmesh_hash((const u8 *)(text), strlen(text), false)
	read_request(&request, (const u8 *)head, sizeof(head) - 1, sizeof(head));
	REQUIRE(PLAIN("") == KMESH_HASH_START);
	REQUIRE(PLAIN("a") == 0xaf63dc4c8601ec8cull);
	REQUIRE(HASH(":path", 0, 0) == PLAIN("/Abc"));
	REQUIRE(HASH(":path", 0, KMESH_MATCH_IGNORE_CASE) == PLAIN("/abc"));
	REQUIRE(HASH(":path", 4, 0) == PLAIN("/Abc") && HASH(":path", -4, 0) == PLAIN("/Abc"));
	REQUIRE(HASH(":path", 2, 0) == PLAIN("/A") && HASH(":path", -2, 0) == PLAIN("bc"));
	REQUIRE(!HASH(":path", 5, 0) && !HASH(":path", -5, 0) && !HASH("b", 0, 0));
	REQUIRE(!HASH(":path", (s32)(1u << 31), 0) && !HASH(":path", 0, KMESH_MATCH_INVERT));
	free(request.text);
}

int main(void)
{
	test_verdicts();
	test_bounds();
	test_parts();
	test_matchers();
	test_hashes();
	puts("requests: ok");
	return 0;
}

#endif
