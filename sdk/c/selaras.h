/* Helpers for Selaras plugins in C: JSON objects over their text, and the answers of a plugin.
 *
 * A number stays the text it came as. Texts are not copied until something is written; nothing needs to be freed, since
 * an instance ends soon after its call. */
#ifndef SELARAS_H
#define SELARAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef SELARAS_STRATEGY
#include "strategy_plugin.h"
typedef strategy_plugin_string_t text_t;
typedef exports_selaras_plugin_strategy_verdict_t verdict_t;
#else
#include "mapper_plugin.h"
typedef mapper_plugin_string_t text_t;
typedef exports_selaras_plugin_mapper_outcome_t outcome_t;
#endif
typedef selaras_plugin_types_document_t document_t;
typedef selaras_plugin_types_call_context_t context_t;
typedef selaras_plugin_types_plugin_error_t error_t;
typedef exports_selaras_plugin_info_plugin_info_t info_t;

/* A literal as a text. */
#define TEXT(literal) ((text_t){(uint8_t *)(literal), sizeof(literal) - 1})

bool text_equal(text_t a, text_t b);
/* Both, one after the other. */
text_t text_join(text_t a, text_t b);

/* A member of an object: its name as the JSON string says it, its value as JSON text. */
typedef struct {
  text_t name;
  text_t value;
} member_t;

/* A JSON object, in the order of its text. */
typedef struct {
  member_t *members;
  size_t count;
} object_t;

/* How deep an object may nest. */
#define JSON_MAX_DEPTH 128

/* Reads an object. False when the text is not one JSON object, is nested too deep, or has a name twice. */
bool object_parse(text_t text, object_t *object);
/* The member of this name, or NULL. */
member_t *object_find(const object_t *object, text_t name);
/* Gives a name a value, JSON text: in its place when it is there, else at the end. */
void object_set(object_t *object, text_t name, text_t value);
/* The object as JSON text. */
text_t object_print(const object_t *object);
/* The text of a JSON string; false when the value is something else. */
bool json_string(text_t value, text_t *text);

/* What `describe` answers. */
void describe_as(info_t *info, text_t name, text_t version, text_t description);

/* An error that waits until the plugin, its settings or a person changes something; `field` may be empty. Answers false,
 * as a function that fails does. */
bool fail(error_t *error, text_t code, text_t message, text_t field);
/* The settings, of which only these may be there; else `invalid-settings`. */
bool settings_read(context_t *cx, const text_t *known, size_t count, object_t *settings, error_t *error);
/* The object of a document's body; else `invalid-document`. */
bool document_read(document_t *document, object_t *object, error_t *error);

#ifdef SELARAS_STRATEGY
/* The answers of a strategy; each answers true, as a function that succeeds does. */
bool keep_local(verdict_t *verdict, text_t reason);
bool take_cloud(verdict_t *verdict, text_t reason);
bool merge(verdict_t *verdict, const object_t *object, text_t reason);
bool delete_both(verdict_t *verdict, text_t reason);
bool defer(verdict_t *verdict, text_t reason);
#else
/* The answers of a mapper; each answers true. Without an object the document is as it came. */
bool put(outcome_t *outcome, document_t *document, const object_t *object);
bool skip(outcome_t *outcome, text_t reason);
#endif

#endif
