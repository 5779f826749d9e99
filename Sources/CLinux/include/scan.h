/* Searching in bytes from the network; inlined into Swift. */
#ifndef CLINUX_SCAN_H
#define CLINUX_SCAN_H

typedef unsigned char kmesh_lane __attribute__((vector_size(16), aligned(1)));

/* One bit for each byte of `found`, which are 0 or 255; the first byte's is the lowest. */
static inline unsigned int kmesh_mask(kmesh_lane found)
{
#ifdef __SSE2__
	typedef char signed_lane __attribute__((vector_size(16)));

	return (unsigned int)__builtin_ia32_pmovmskb128((signed_lane)found);
#else
	/* The product gathers the lowest bits of eight bytes in its highest byte. */
	const unsigned long gather = 0x0102040810204080;
	unsigned long halves[2];

	found &= 1;
	__builtin_memcpy(halves, &found, sizeof(halves));
	return (unsigned int)(halves[0] * gather >> 56 | halves[1] * gather >> 56 << 8);
#endif
}

static inline kmesh_lane kmesh_lane_of(unsigned char byte)
{
	return (kmesh_lane){} + byte;
}

/* The offset of the first `byte` in bytes[from..<end], or `end`; there are `count` bytes. */
static inline long kmesh_find_byte(const unsigned char *bytes, long from, long end, long count,
				   unsigned char byte)
{
	const kmesh_lane wanted = kmesh_lane_of(byte);
	long at = from;

	for (; at < end && at + 16 <= count; at += 16) {
		unsigned int mask = kmesh_mask((kmesh_lane)(*(const kmesh_lane *)(bytes + at) == wanted));

		if (mask) {
			at += __builtin_ctz(mask);
			return at < end ? at : end;
		}
	}
	for (; at < end; at++)
		if (bytes[at] == byte)
			return at;
	return end;
}

static inline long kmesh_find_line_feed(const unsigned char *bytes, long from, long count)
{
	return kmesh_find_byte(bytes, from, count, count, '\n');
}

/* Sets that a byte is in. */
#define KMESH_BYTE_TOKEN 1 /* names of headers and methods */
#define KMESH_BYTE_TARGET 2 /* request targets: visible, without '#' */
#define KMESH_BYTE_HOST 4 /* names of hosts */

extern const unsigned char kmesh_byte_classes[256];

static inline _Bool kmesh_is_token_byte(unsigned char byte)
{
	return kmesh_byte_classes[byte] & KMESH_BYTE_TOKEN;
}

/*
 * The offset of the first byte of bytes[from..<end] that is not in all of `sets`, or `end`. There are `count`
 * bytes. Letters, digits, dashes and dots, which are in every set, go by sixteen.
 */
static inline long kmesh_end_of_class(const unsigned char *bytes, long from, long end, long count,
				      unsigned char sets)
{
	while (from + 16 <= count) {
		kmesh_lane lane = *(const kmesh_lane *)(bytes + from);
		kmesh_lane letters = (lane | 0x20) - (unsigned char)'a' < 26;
		kmesh_lane digits = lane - (unsigned char)'0' < 10;
		kmesh_lane marks = lane - (unsigned char)'-' < 2;
		unsigned int mask = kmesh_mask(~(letters | digits | marks));

		if (mask) {
			from += __builtin_ctz(mask);
			break;
		}
		from += 16;
	}
	while (from < end && kmesh_byte_classes[bytes[from]] & sets)
		from++;
	return from < end ? from : end;
}

/* The offset of the first byte of bytes[from..<count] that no request target has, or `count`. */
static inline long kmesh_end_of_target(const unsigned char *bytes, long from, long count)
{
	for (; from + 16 <= count; from += 16) {
		kmesh_lane lane = *(const kmesh_lane *)(bytes + from);
		kmesh_lane hidden = lane - (unsigned char)'!' > '~' - '!';
		unsigned int mask = kmesh_mask(hidden | (kmesh_lane)(lane == '#'));

		if (mask)
			return from + __builtin_ctz(mask);
	}
	while (from < count && kmesh_byte_classes[bytes[from]] & KMESH_BYTE_TARGET)
		from++;
	return from;
}

/* The offset of the first control byte of bytes[from..<count], tabs apart, or `count`. */
static inline long kmesh_find_control(const unsigned char *bytes, long from, long count)
{
	long at = from;

	for (; at + 16 <= count; at += 16) {
		kmesh_lane lane = *(const kmesh_lane *)(bytes + at);
		kmesh_lane low = lane < ' ' & lane != '\t';
		unsigned int mask = kmesh_mask(low | (kmesh_lane)(lane == 0x7f));

		if (mask)
			return at + __builtin_ctz(mask);
	}
	for (; at < count; at++)
		if ((bytes[at] < ' ' && bytes[at] != '\t') || bytes[at] == 0x7f)
			return at;
	return count;
}

/* Where the parts of a header line are: its name from the line's begin to `name_end`, and so on. */
struct kmesh_header_line {
	int name_end, value, value_end, line_end;
};

/* The end of the token at `from`; letters and dashes, which most names consist of, go by sixteen. */
static inline long kmesh_end_of_name(const unsigned char *bytes, long from, long count)
{
	while (from + 16 <= count) {
		kmesh_lane lane = *(const kmesh_lane *)(bytes + from);
		kmesh_lane letters = (lane | 0x20) - (unsigned char)'a' < 26;
		unsigned int mask = kmesh_mask(~(letters | (kmesh_lane)(lane == '-')));

		if (mask) {
			from += __builtin_ctz(mask);
			break;
		}
		from += 16;
	}
	while (from < count && kmesh_is_token_byte(bytes[from]))
		from++;
	return from;
}

static inline _Bool kmesh_is_blank(unsigned char byte)
{
	return byte == ' ' || byte == '\t';
}

/*
 * Reads the header line at `from`: a token, a colon, and a value, without the white space around it, up to
 * CR LF. Whether it is one, and whole.
 */
static inline _Bool kmesh_scan_header(const unsigned char *bytes, long from, long count,
				      struct kmesh_header_line *line)
{
	long at = kmesh_end_of_name(bytes, from, count), end;

	if (at >= count || at == from || bytes[at] != ':')
		return 0;
	line->name_end = (int)at++;
	while (at < count && kmesh_is_blank(bytes[at]))
		at++;
	end = kmesh_find_control(bytes, at, count);
	if (end + 1 >= count || bytes[end] != '\r' || bytes[end + 1] != '\n')
		return 0;
	line->value = (int)at;
	line->line_end = (int)end;
	while (end > at && kmesh_is_blank(bytes[end - 1]))
		end--;
	line->value_end = (int)end;
	return 1;
}

/*
 * A hash that goes on from `hash`, of bytes with the bits of `fold` set in each eight of them: 0, or what
 * makes letters of both cases the same.
 */
static inline unsigned long kmesh_hash(unsigned long hash, const unsigned char *bytes, long count,
				       unsigned long fold)
{
	const unsigned long spread = 0x9e3779b97f4a7c15;
	unsigned long word = 0;

	for (long at = 0; at + 8 < count; at += 8) {
		__builtin_memcpy(&word, bytes + at, 8);
		hash = (hash ^ (word | fold)) * spread;
		hash ^= hash >> 32;
	}
	/* The last eight; fewer are put together without a loop. */
	if (count >= 8) {
		__builtin_memcpy(&word, bytes + count - 8, 8);
	} else if (count >= 4) {
		unsigned int first, last;

		__builtin_memcpy(&first, bytes, 4);
		__builtin_memcpy(&last, bytes + count - 4, 4);
		word = (unsigned long)last << 32 | first;
	} else if (count > 0) {
		word = (unsigned long)bytes[count - 1] << 16 | bytes[count / 2] << 8 | bytes[0];
	}
	hash = (hash ^ (word | fold)) * spread;
	hash = (hash ^ hash >> 32 ^ (unsigned long)count) * spread;
	return hash ^ hash >> 32;
}

/* Whether bytes[0..<count] are `lower`, which is in lower case, but for the case of letters. */
static inline _Bool kmesh_equals_ignoring_case(const unsigned char *bytes, const unsigned char *lower,
					       long count)
{
	for (long at = 0; at < count; at++) {
		unsigned char letter = bytes[at] >= 'A' && bytes[at] <= 'Z' ? 0x20 : 0;

		if ((bytes[at] | letter) != lower[at])
			return 0;
	}
	return 1;
}

/*
 * The same for names that are known to be tokens and a `lower` of letters and dashes: no other byte of a
 * token becomes one of these when its bit 5 is set. Eight bytes at a time.
 */
static inline _Bool kmesh_is_name(const unsigned char *bytes, const unsigned char *lower, long count)
{
	const unsigned long letters = 0x2020202020202020;
	unsigned long left, right;
	long at = 0;

	if (count < 8) {
		for (; at < count; at++)
			if ((bytes[at] | 0x20) != lower[at])
				return 0;
		return 1;
	}
	for (; at < count; at += 8) {
		if (at + 8 > count)
			at = count - 8;
		__builtin_memcpy(&left, bytes + at, 8);
		__builtin_memcpy(&right, lower + at, 8);
		if ((left | letters) != right)
			return 0;
	}
	return 1;
}

#endif
