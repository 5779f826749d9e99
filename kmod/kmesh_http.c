// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Reads the head of a request, line by line (RFC 9112 sections 2, 3 and 5). */
#include "kmesh_http.h"

enum {
	TOKEN = 1, /* names of headers and methods: RFC 9110 section 5.6.2 */
	TARGET = 2, /* visible, without '#' */
	HOST = 4, /* names of hosts; percent signs and other marks of RFC 3986 are in no name of the DNS */
};

static const u8 kmesh_classes[256] = {
	['!'] = TOKEN | TARGET,
	['"'] = TARGET,
	['#'] = TOKEN,
	['$' ... '\''] = TOKEN | TARGET,
	['(' ... ')'] = TARGET,
	['*' ... '+'] = TOKEN | TARGET,
	[','] = TARGET,
	['-' ... '.'] = TOKEN | TARGET | HOST,
	['/'] = TARGET,
	['0' ... '9'] = TOKEN | TARGET | HOST,
	[':' ... '@'] = TARGET,
	['A' ... 'Z'] = TOKEN | TARGET | HOST,
	['[' ... ']'] = TARGET,
	['^'] = TOKEN | TARGET,
	['_'] = TOKEN | TARGET | HOST,
	['`'] = TOKEN | TARGET,
	['a' ... 'z'] = TOKEN | TARGET | HOST,
	['{'] = TARGET,
	['|'] = TOKEN | TARGET,
	['}'] = TARGET,
	['~'] = TOKEN | TARGET | HOST,
};

/* Options of Connection in all its lines; more have no use. */
#define KMESH_HTTP_OPTIONS 64

static u32 class_end(const u8 *text, u32 at, u32 end, u8 class)
{
	while (at < end && kmesh_classes[text[at]] & class)
		at++;
	return at;
}

static bool is_blank(u8 byte)
{
	return byte == ' ' || byte == '\t';
}

static bool is_digit(u8 byte)
{
	return (u8)(byte - '0') < 10;
}

static struct kmesh_http_range range_of(u32 start, u32 end)
{
	return (struct kmesh_http_range){ .start = start, .size = end - start };
}

/* `lower` is in lower case. */
static bool is_text(const u8 *text, struct kmesh_http_range range, const char *lower)
{
	return range.size == strlen(lower) &&
	       kmesh_equal_folded(text + range.start, (const u8 *)lower, range.size);
}

u64 kmesh_hash(const u8 *text, u32 size, bool folded)
{
	u64 hash = KMESH_HASH_START;
	u32 at;

	for (at = 0; at < size; at++)
		hash = kmesh_hash_byte(hash, folded ? kmesh_lower(text[at]) : text[at]);
	return kmesh_hash_end(hash);
}

/* Nothing, or a colon and a number of 16 bits, or a colon alone. */
static bool is_port(const u8 *text, u32 start, u32 end)
{
	u32 number = 0, at;

	if (start == end)
		return true;
	if (text[start] != ':' || end - start > 6)
		return false;
	for (at = start + 1; at < end; at++) {
		if (!is_digit(text[at]))
			return false;
		number = number * 10 + (text[at] - '0');
	}
	return number <= 0xffff;
}

/* The end of "[IPv6]", by its form; 0 when it is none. */
static u32 literal_end(const u8 *text, u32 start, u32 end)
{
	u32 at, colons = 0;

	for (at = start + 1; at < end && text[at] != ']'; at++) {
		u8 byte = kmesh_lower(text[at]);

		if (byte == ':')
			colons++;
		else if (!is_digit(byte) && (u8)(byte - 'a') > 5 && byte != '.')
			return 0;
	}
	return at < end && colons >= 2 && at - start <= 46 ? at + 1 : 0;
}

/* The end of the host in an authority, which may be empty; 0 when it is none. Userinfo is refused. */
static u32 host_end(const u8 *text, u32 start, u32 end)
{
	u32 at;

	if (start < end && text[start] == '[')
		at = literal_end(text, start, end);
	else
		at = class_end(text, start, end, HOST);
	return at && is_port(text, at, end) ? at : 0;
}

static void set_authority(struct kmesh_http *http, const u8 *text, u32 start, u32 at, u32 end)
{
	http->authority = range_of(start, end);
	http->host = range_of(start, at);
	http->port = range_of(at < end ? at + 1 : end, end);
	for (; start < at; start++)
		http->has_capitals |= kmesh_lower(text[start]) != text[start];
}

static void split_path(struct kmesh_http *http, const u8 *text, u32 start, u32 end)
{
	u32 at = start;

	while (at < end && text[at] != '?')
		at++;
	http->path = range_of(start, at);
	http->has_query = at < end;
	if (http->has_query)
		http->query = range_of(at + 1, end);
}

/* Of the target, from `start` on; 0 when it is not absolute. */
static u32 scheme_end(const u8 *text, u32 start, u32 end)
{
	if (end - start >= 7 && kmesh_equal_folded(text + start, (const u8 *)"http://", 7))
		return start + 7;
	if (end - start >= 8 && kmesh_equal_folded(text + start, (const u8 *)"https://", 8))
		return start + 8;
	return 0;
}

/* RFC 9112 section 3.2. An absolute target makes the Host line void. */
static bool read_target(struct kmesh_http *http, const u8 *text, u32 start, u32 end)
{
	u32 at, host;

	http->target = range_of(start, end);
	if (text[start] == '/') {
		split_path(http, text, start, end);
		return true;
	}
	if (text[start] == '*') {
		http->path = http->target;
		return end - start == 1 && http->method.size == 7 &&
		       !memcmp(text + http->method.start, "OPTIONS", 7);
	}
	start = scheme_end(text, start, end);
	if (!start)
		return false;
	for (at = start; at < end && text[at] != '/' && text[at] != '?';)
		at++;
	host = host_end(text, start, at);
	if (!host || host == start)
		return false;
	http->is_absolute = true;
	set_authority(http, text, start, host, at);
	split_path(http, text, at, end);
	return true;
}

static enum kmesh_http_verdict read_version(struct kmesh_http *http, const u8 *text, u32 start, u32 size)
{
	static const char *const lines[] = { "HTTP/1.0\r\n", "HTTP/1.1\r\n" };
	u32 there = size - start < 10 ? size - start : 10;
	int minor;

	for (minor = 0; minor < 2; minor++) {
		if (memcmp(text + start, lines[minor], there))
			continue;
		if (there < 10)
			return KMESH_HTTP_INCOMPLETE;
		http->minor_version = minor;
		http->version = range_of(start, start + 8);
		http->next = start + 10;
		http->has_line = true;
		return KMESH_HTTP_COMPLETE;
	}
	return KMESH_HTTP_REFUSED;
}

/* CONNECT asks for a tunnel, in which nobody can route. "PRI * HTTP/2.0" fails by its target. */
static enum kmesh_http_verdict read_line(struct kmesh_http *http, const u8 *text, u32 size)
{
	u32 start = 0, at;

	/* One empty line before is passed over. */
	if (size && text[0] == '\r') {
		if (size == 1)
			return KMESH_HTTP_INCOMPLETE;
		if (text[1] != '\n')
			return KMESH_HTTP_REFUSED;
		start = 2;
	}
	at = class_end(text, start, size, TOKEN);
	if (at == size)
		return KMESH_HTTP_INCOMPLETE;
	if (at == start || text[at] != ' ')
		return KMESH_HTTP_REFUSED;
	http->method = range_of(start, at);
	if (at - start == 7 && !memcmp(text + start, "CONNECT", 7))
		return KMESH_HTTP_REFUSED;
	start = at + 1;
	at = class_end(text, start, size, TARGET);
	if (at == size)
		return KMESH_HTTP_INCOMPLETE;
	if (at == start || text[at] != ' ' || !read_target(http, text, start, at))
		return KMESH_HTTP_REFUSED;
	return read_version(http, text, at + 1, size);
}

/* Digits only, of 63 bits: no sign, no list. */
static bool is_length(const u8 *text, struct kmesh_http_range value)
{
	const u64 most = ~0ull >> 1;
	u64 length = 0;
	u32 at;

	for (at = value.start; at < value.start + value.size; at++) {
		u8 digit = text[at] - '0';

		if (digit > 9 || length > (most - digit) / 10)
			return false;
		length = length * 10 + digit;
	}
	return value.size;
}

static bool count_options(struct kmesh_http *http, const u8 *text, struct kmesh_http_range value)
{
	bool inside = false;
	u32 at;

	for (at = value.start; at < value.start + value.size; at++) {
		if (text[at] == ',') {
			inside = false;
		} else if (!inside && !is_blank(text[at])) {
			inside = true;
			if (http->option_count++ == KMESH_HTTP_OPTIONS)
				return false;
		}
	}
	return true;
}

/* Whether nothing is wrong with a line that says how far the request goes, or to whom. */
static bool take_known(struct kmesh_http *http, const u8 *text, const struct kmesh_http_field *field)
{
	if (is_text(text, field->name, "host")) {
		u32 start = field->value.start, end = start + field->value.size;
		u32 host = host_end(text, start, end);

		if (http->has_host || !host)
			return false;
		http->has_host = true;
		if (http->is_absolute)
			return true;
		set_authority(http, text, start, host, end);
		return host > start;
	}
	if (is_text(text, field->name, "content-length")) {
		if (http->has_length || !is_length(text, field->value))
			return false;
		http->has_length = true;
	} else if (is_text(text, field->name, "transfer-encoding")) {
		if (http->has_encoding || !is_text(text, field->value, "chunked"))
			return false;
		http->has_encoding = true;
	} else if (is_text(text, field->name, "connection")) {
		return count_options(http, text, field->value);
	} else if (is_text(text, field->name, "expect")) {
		return is_text(text, field->value, "100-continue");
	}
	return true;
}

static void add_field(struct kmesh_http *http, const u8 *text, struct kmesh_http_field field)
{
	u32 at;

	field.hash = kmesh_hash(text + field.name.start, field.name.size, true);
	for (at = 0; at < http->field_count && !http->has_repeated; at++)
		http->has_repeated = http->fields[at].hash == field.hash;
	http->fields[http->field_count++] = field;
}

/*
 * "name: value", ended by CR LF. A line that goes on in the next one begins with a blank, which no name
 * does.
 */
static enum kmesh_http_verdict read_field(struct kmesh_http *http, const u8 *text, u32 size)
{
	struct kmesh_http_field field = {};
	u32 start = http->next, at = class_end(text, start, size, TOKEN), end;

	if (at == size)
		return KMESH_HTTP_INCOMPLETE;
	if (at == start || text[at] != ':' || http->field_count == KMESH_HTTP_FIELDS)
		return KMESH_HTTP_REFUSED;
	field.name = range_of(start, at);
	for (start = at + 1; start < size && is_blank(text[start]);)
		start++;
	for (end = start; end < size && (text[end] >= ' ' || text[end] == '\t') && text[end] != 0x7f;)
		end++;
	if (end == size || (text[end] == '\r' && end + 1 == size))
		return KMESH_HTTP_INCOMPLETE;
	if (text[end] != '\r' || text[end + 1] != '\n')
		return KMESH_HTTP_REFUSED;
	at = end + 2;
	while (end > start && is_blank(text[end - 1]))
		end--;
	field.value = range_of(start, end);
	if (!take_known(http, text, &field))
		return KMESH_HTTP_REFUSED;
	add_field(http, text, field);
	http->next = at;
	return KMESH_HTTP_COMPLETE;
}

/* What the lines mean together. */
static enum kmesh_http_verdict conclude(const struct kmesh_http *http)
{
	if (http->minor_version && !http->has_host)
		return KMESH_HTTP_REFUSED;
	if (http->has_encoding && (!http->minor_version || http->has_length))
		return KMESH_HTTP_REFUSED;
	return KMESH_HTTP_COMPLETE;
}

enum kmesh_http_verdict kmesh_http_read(struct kmesh_http *http, const u8 *text, u32 size)
{
	enum kmesh_http_verdict verdict;

	if (!http->has_line) {
		verdict = read_line(http, text, size);
		if (verdict != KMESH_HTTP_COMPLETE)
			return verdict;
	}
	for (;;) {
		u32 at = http->next;

		if (at == size)
			return KMESH_HTTP_INCOMPLETE;
		if (text[at] == '\r') {
			if (at + 1 == size)
				return KMESH_HTTP_INCOMPLETE;
			if (text[at + 1] != '\n')
				return KMESH_HTTP_REFUSED;
			http->next = at + 2;
			return conclude(http);
		}
		verdict = read_field(http, text, size);
		if (verdict != KMESH_HTTP_COMPLETE)
			return verdict;
	}
}
