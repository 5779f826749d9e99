// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Answers questions about a head that was read: its parts by key, conditions on them, their hashes. */
#include "kmesh_http.h"

/*
 * Lines of one name are joined by a comma and a space (RFC 9110 section 5.3), which takes less room than the
 * lines did. A Host line is never repeated; so the authority, in lower case, fits in as well.
 */
u32 kmesh_http_extra(const struct kmesh_http *http)
{
	return http->has_repeated || http->has_capitals ? http->next : 0;
}

static bool same_name(const struct kmesh_http_field *one, const struct kmesh_http_field *other,
		      const u8 *text)
{
	return one->hash == other->hash && one->name.size == other->name.size &&
	       kmesh_equal_folded(text + one->name.start, text + other->name.start, one->name.size);
}

/* Joins to a line those that come later. Returns the end of what is written. */
static u32 join_field(struct kmesh_http *http, u8 *text, u32 number, u32 at)
{
	struct kmesh_http_field *field = &http->fields[number];
	u32 start = at, other;

	for (other = number + 1; other < http->field_count; other++) {
		struct kmesh_http_field *next = &http->fields[other];

		if (!same_name(field, next, text))
			continue;
		if (at == start) {
			memcpy(text + at, text + field->value.start, field->value.size);
			at += field->value.size;
		}
		text[at++] = ',';
		text[at++] = ' ';
		memcpy(text + at, text + next->value.start, next->value.size);
		at += next->value.size;
		next->name.size = 0;
	}
	if (at != start)
		field->value = (struct kmesh_http_range){ .start = start, .size = at - start };
	return at;
}

void kmesh_http_finish(struct kmesh_http *http, u8 *text, u32 at)
{
	u32 number;

	if (http->has_repeated)
		for (number = 0; number < http->field_count; number++)
			if (http->fields[number].name.size)
				at = join_field(http, text, number, at);
	http->has_repeated = false;
	if (http->has_capitals) {
		for (number = 0; number < http->authority.size; number++)
			text[at + number] = kmesh_lower(text[http->authority.start + number]);
		http->host.start = at;
		http->authority.start = at;
	}
	http->has_capitals = false;
}

static bool is_key(const u8 *key, u32 size, const char *name)
{
	return size == strlen(name) && !memcmp(key, name, size);
}

static bool find_special(const struct kmesh_http *http, const u8 *text, const u8 *key, u32 size,
			 struct kmesh_http_value *value)
{
	const struct kmesh_http_range *range;

	if (is_key(key, size, ":path")) {
		range = &http->path;
		if (!range->size) {
			*value = (struct kmesh_http_value){ .text = (const u8 *)"/", .size = 1 };
			return true;
		}
	} else if (is_key(key, size, ":method")) {
		range = &http->method;
	} else if (is_key(key, size, ":target")) {
		range = &http->target;
	} else if (is_key(key, size, ":version")) {
		range = &http->version;
	} else if (!http->authority.size) {
		return false; /* HTTP/1.0 needs none */
	} else if (is_key(key, size, ":host")) {
		range = &http->host;
	} else if (is_key(key, size, ":authority")) {
		range = &http->authority;
	} else if (is_key(key, size, ":port")) {
		range = &http->port;
	} else {
		return false;
	}
	*value = (struct kmesh_http_value){ .text = text + range->start, .size = range->size };
	return true;
}

/* The first parameter of the name; nothing is decoded. One without '=' has an empty value. */
static bool find_parameter(const struct kmesh_http *http, const u8 *text, const u8 *name, u32 size,
			   struct kmesh_http_value *value)
{
	u32 at = http->query.start, last = at + http->query.size;

	while (http->has_query && at <= last) {
		u32 start = at, equals, end;

		while (at < last && text[at] != '&')
			at++;
		end = at++;
		for (equals = start; equals < end && text[equals] != '=';)
			equals++;
		if (equals - start != size || memcmp(text + start, name, size))
			continue;
		start = equals < end ? equals + 1 : end;
		*value = (struct kmesh_http_value){ .text = text + start, .size = end - start };
		return true;
	}
	return false;
}

static bool find_field(const struct kmesh_http *http, const u8 *text, const u8 *name, u32 size,
		       struct kmesh_http_value *value)
{
	u32 hash = kmesh_hash(name, size, true);
	u32 number;

	for (number = 0; number < http->field_count; number++) {
		const struct kmesh_http_field *field = &http->fields[number];

		if (field->hash != hash || field->name.size != size ||
		    !kmesh_equal_folded(text + field->name.start, name, size))
			continue;
		*value = (struct kmesh_http_value){
			.text = text + field->value.start,
			.size = field->value.size,
		};
		return true;
	}
	return false;
}

bool kmesh_http_find(const struct kmesh_http *http, const u8 *text, const u8 *key, u32 key_size,
		     struct kmesh_http_value *value)
{
	if (!key_size)
		return false;
	if (key[0] == ':')
		return find_special(http, text, key, key_size, value);
	if (key[0] == '?')
		return find_parameter(http, text, key + 1, key_size - 1, value);
	return find_field(http, text, key, key_size, value);
}

static bool is_equal(const u8 *one, const u8 *other, u32 size, bool folded)
{
	return folded ? kmesh_equal_folded(one, other, size) : !memcmp(one, other, size);
}

/* As many steps as both have bytes, multiplied, at worst. */
static bool contains(struct kmesh_http_value value, struct kmesh_http_value wanted, bool folded)
{
	u32 at;

	for (at = 0; at + wanted.size <= value.size; at++)
		if (is_equal(value.text + at, wanted.text, wanted.size, folded))
			return true;
	return false;
}

/* A prefix without its final slashes, after which the path ends, or the next segment begins. */
static bool has_segments(struct kmesh_http_value path, struct kmesh_http_value prefix, bool folded)
{
	while (prefix.size && prefix.text[prefix.size - 1] == '/')
		prefix.size--;
	if (!prefix.size)
		return true;
	if (prefix.size > path.size || !is_equal(path.text, prefix.text, prefix.size, folded))
		return false;
	return prefix.size == path.size || path.text[prefix.size] == '/';
}

static bool holds(u8 kind, struct kmesh_http_value value, struct kmesh_http_value wanted, bool folded)
{
	if (kind == KMESH_MATCH_PRESENT)
		return true;
	if (kind == KMESH_MATCH_SEGMENTS)
		return has_segments(value, wanted, folded);
	if (wanted.size > value.size)
		return false;
	switch (kind) {
	case KMESH_MATCH_EXACT:
		return wanted.size == value.size && is_equal(value.text, wanted.text, wanted.size, folded);
	case KMESH_MATCH_PREFIX:
		return is_equal(value.text, wanted.text, wanted.size, folded);
	case KMESH_MATCH_SUFFIX:
		return is_equal(value.text + value.size - wanted.size, wanted.text, wanted.size, folded);
	default:
		return contains(value, wanted, folded);
	}
}

/*
 * The fixed part, not aligned. It may be in a map that is written to meanwhile: what is checked is read
 * once.
 */
static void read_matcher(struct kmesh_http_matcher *own, const u8 *matcher)
{
	u32 at;

	for (at = 0; at < sizeof(*own); at++)
		((u8 *)own)[at] = READ_ONCE(matcher[at]);
}

static bool is_matcher(const struct kmesh_http_matcher *matcher, u32 size)
{
	const u8 flags = KMESH_MATCH_IGNORE_CASE | KMESH_MATCH_INVERT | KMESH_MATCH_MISSING_IS_EMPTY;
	u32 text = (u32)matcher->key_size + matcher->value_size;

	return matcher->kind >= KMESH_MATCH_EXACT && matcher->kind <= KMESH_MATCH_SEGMENTS &&
	       !(matcher->flags & ~flags) && !matcher->pad && matcher->key_size &&
	       text <= KMESH_HTTP_MATCHER_TEXT_MAX && text <= size - sizeof(*matcher);
}

int kmesh_http_match(const struct kmesh_http *http, const u8 *text, const void *matcher, u32 matcher_size)
{
	const u8 *key = (const u8 *)matcher + sizeof(struct kmesh_http_matcher);
	struct kmesh_http_value value = { .text = (const u8 *)"" };
	struct kmesh_http_value wanted;
	struct kmesh_http_matcher own;
	bool inverted, folded;

	if (matcher_size < sizeof(own))
		return -EINVAL;
	read_matcher(&own, matcher);
	if (!is_matcher(&own, matcher_size))
		return -EINVAL;
	inverted = own.flags & KMESH_MATCH_INVERT;
	folded = own.flags & KMESH_MATCH_IGNORE_CASE;
	if (!kmesh_http_find(http, text, key, own.key_size, &value) &&
	    !(own.flags & KMESH_MATCH_MISSING_IS_EMPTY))
		return own.kind == KMESH_MATCH_PRESENT && inverted;
	wanted.text = key + own.key_size;
	wanted.size = own.value_size;
	return holds(own.kind, value, wanted, folded) != inverted;
}

u64 kmesh_http_part_hash(const struct kmesh_http *http, const u8 *text, const u8 *key, u32 key_size,
			 s32 length, u32 flags)
{
	/* In 64 bits, as the least of 32 has no opposite. */
	u64 size = length < 0 ? -(long long)length : length;
	struct kmesh_http_value value;

	if (flags & ~(u32)KMESH_MATCH_IGNORE_CASE)
		return 0;
	if (!kmesh_http_find(http, text, key, key_size, &value) || size > value.size)
		return 0;
	if (length < 0)
		value.text += value.size - size;
	if (!length)
		size = value.size;
	return kmesh_hash(value.text, size, flags & KMESH_MATCH_IGNORE_CASE);
}
