/* JSON objects over their text. */
#include <stdlib.h>

#include "selaras.h"

typedef struct {
  const uint8_t *at, *end;
} reader_t;

bool text_equal(text_t a, text_t b) { return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0; }

text_t text_join(text_t a, text_t b) {
  text_t both = {malloc(a.len + b.len), a.len + b.len};
  memcpy(both.ptr, a.ptr, a.len);
  memcpy(both.ptr + a.len, b.ptr, b.len);
  return both;
}

static int peek(reader_t *in) {
  while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) in->at++;
  return in->at < in->end ? *in->at : -1;
}

static bool take(reader_t *in, int byte) {
  if (peek(in) != byte) return false;
  in->at++;
  return true;
}

static int hex(int byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

static bool skip_string(reader_t *in) {
  if (!take(in, '"')) return false;
  while (in->at < in->end) {
    int byte = *in->at++;
    if (byte == '"') return true;
    if (byte < 0x20) return false;
    if (byte != '\\') continue;
    if (in->at == in->end) return false;
    byte = *in->at++;
    if (byte == 'u') {
      for (int n = 0; n < 4; n++)
        if (in->at == in->end || hex(*in->at++) < 0) return false;
    } else if (byte != '"' && byte != '\\' && byte != '/' && byte != 'b' && byte != 'f' && byte != 'n' && byte != 'r' &&
               byte != 't') {
      return false;
    }
  }
  return false;
}

static bool skip_digits(reader_t *in) {
  const uint8_t *from = in->at;
  while (in->at < in->end && *in->at >= '0' && *in->at <= '9') in->at++;
  return in->at > from;
}

static bool skip_number(reader_t *in) {
  if (in->at < in->end && *in->at == '-') in->at++;
  const uint8_t *from = in->at;
  if (!skip_digits(in) || (*from == '0' && in->at > from + 1)) return false;
  if (in->at < in->end && *in->at == '.') {
    in->at++;
    if (!skip_digits(in)) return false;
  }
  if (in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
    in->at++;
    if (in->at < in->end && (*in->at == '+' || *in->at == '-')) in->at++;
    if (!skip_digits(in)) return false;
  }
  return true;
}

static bool skip_word(reader_t *in, const char *word) {
  size_t length = strlen(word);
  if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0) return false;
  in->at += length;
  return true;
}

static bool skip_value(reader_t *in, int depth) {
  int first = peek(in);
  if (first == '"') return skip_string(in);
  if (first == 't') return skip_word(in, "true");
  if (first == 'f') return skip_word(in, "false");
  if (first == 'n') return skip_word(in, "null");
  if (first != '{' && first != '[') return skip_number(in);
  if (depth >= JSON_MAX_DEPTH) return false;
  int last = first == '{' ? '}' : ']';
  in->at++;
  if (take(in, last)) return true;
  do {
    if (first == '{' && !(skip_string(in) && take(in, ':'))) return false;
    if (!skip_value(in, depth + 1)) return false;
  } while (take(in, ','));
  return take(in, last);
}

static uint32_t unit(const uint8_t *from) {
  uint32_t value = 0;
  for (int n = 0; n < 4; n++) value = value << 4 | (uint32_t)hex(from[n]);
  return value;
}

static uint8_t *put_utf8(uint8_t *to, uint32_t c) {
  if (c < 0x80) {
    *to++ = (uint8_t)c;
  } else if (c < 0x800) {
    *to++ = (uint8_t)(0xc0 | c >> 6);
    *to++ = (uint8_t)(0x80 | (c & 63));
  } else if (c < 0x10000) {
    *to++ = (uint8_t)(0xe0 | c >> 12);
    *to++ = (uint8_t)(0x80 | (c >> 6 & 63));
    *to++ = (uint8_t)(0x80 | (c & 63));
  } else {
    *to++ = (uint8_t)(0xf0 | c >> 18);
    *to++ = (uint8_t)(0x80 | (c >> 12 & 63));
    *to++ = (uint8_t)(0x80 | (c >> 6 & 63));
    *to++ = (uint8_t)(0x80 | (c & 63));
  }
  return to;
}

bool json_string(text_t value, text_t *text) {
  reader_t in = {value.ptr, value.ptr + value.len};
  if (!skip_string(&in) || peek(&in) != -1) return false;
  const uint8_t *from = value.ptr, *end = value.ptr + value.len;
  while (*from != '"') from++;
  while (*--end != '"') {
  }
  from++;
  uint8_t *to = malloc(value.len);
  text->ptr = to;
  while (from < end) {
    uint8_t byte = *from++;
    if (byte != '\\') {
      *to++ = byte;
      continue;
    }
    byte = *from++;
    if (byte == 'u') {
      uint32_t c = unit(from);
      from += 4;
      if (c >= 0xd800 && c < 0xdc00 && end - from >= 6 && from[0] == '\\' && from[1] == 'u') {
        uint32_t low = unit(from + 2);
        if (low >= 0xdc00 && low < 0xe000) {
          c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
          from += 6;
        }
      }
      /* Half a surrogate pair is no character. */
      if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
      to = put_utf8(to, c);
    } else {
      *to++ = byte == 'b' ? '\b' : byte == 'f' ? '\f' : byte == 'n' ? '\n' : byte == 'r' ? '\r' : byte == 't' ? '\t' : byte;
    }
  }
  text->len = (size_t)(to - text->ptr);
  return true;
}

/* A text as a JSON string. */
static text_t quoted(text_t text) {
  static const char digits[] = "0123456789abcdef";
  uint8_t *to = malloc(text.len * 6 + 2);
  text_t out = {to, 0};
  *to++ = '"';
  for (size_t n = 0; n < text.len; n++) {
    uint8_t byte = text.ptr[n];
    if (byte == '"' || byte == '\\') {
      *to++ = '\\';
      *to++ = byte;
    } else if (byte < 0x20) {
      memcpy(to, "\\u00", 4);
      to[4] = (uint8_t)digits[byte >> 4];
      to[5] = (uint8_t)digits[byte & 15];
      to += 6;
    } else {
      *to++ = byte;
    }
  }
  *to++ = '"';
  out.len = (size_t)(to - out.ptr);
  return out;
}

static text_t between(const uint8_t *from, const uint8_t *to) { return (text_t){(uint8_t *)from, (size_t)(to - from)}; }

static void append(object_t *object, text_t name, text_t value) {
  /* Room doubles: full at every power of two. */
  if ((object->count & (object->count - 1)) == 0) {
    size_t room = object->count == 0 ? 1 : object->count * 2;
    object->members = realloc(object->members, room * sizeof(member_t));
  }
  object->members[object->count++] = (member_t){name, value};
}

bool object_parse(text_t text, object_t *object) {
  reader_t in = {text.ptr, text.ptr + text.len};
  *object = (object_t){NULL, 0};
  if (!take(&in, '{')) return false;
  if (!take(&in, '}')) {
    do {
      if (peek(&in) != '"') return false;
      const uint8_t *from = in.at;
      text_t name;
      if (!skip_string(&in) || !json_string(between(from, in.at), &name) || !take(&in, ':')) return false;
      peek(&in);
      from = in.at;
      if (!skip_value(&in, 1) || object_find(object, name) != NULL) return false;
      append(object, name, between(from, in.at));
    } while (take(&in, ','));
    if (!take(&in, '}')) return false;
  }
  return peek(&in) == -1;
}

member_t *object_find(const object_t *object, text_t name) {
  for (size_t n = 0; n < object->count; n++)
    if (text_equal(object->members[n].name, name)) return &object->members[n];
  return NULL;
}

void object_set(object_t *object, text_t name, text_t value) {
  member_t *there = object_find(object, name);
  if (there != NULL) {
    there->value = value;
  } else {
    append(object, name, value);
  }
}

text_t object_print(const object_t *object) {
  text_t *names = malloc(object->count * sizeof(text_t));
  size_t length = 2;
  for (size_t n = 0; n < object->count; n++) {
    names[n] = quoted(object->members[n].name);
    length += names[n].len + object->members[n].value.len + 2;
  }
  uint8_t *to = malloc(length);
  text_t out = {to, 0};
  *to++ = '{';
  for (size_t n = 0; n < object->count; n++) {
    if (n > 0) *to++ = ',';
    memcpy(to, names[n].ptr, names[n].len);
    to += names[n].len;
    *to++ = ':';
    memcpy(to, object->members[n].value.ptr, object->members[n].value.len);
    to += object->members[n].value.len;
  }
  *to++ = '}';
  out.len = (size_t)(to - out.ptr);
  return out;
}
