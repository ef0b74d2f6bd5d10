/* What a plugin is asked with, and what it answers. */
#include <stdlib.h>

#include "selaras.h"

void describe_as(info_t *info, text_t name, text_t version, text_t description) {
  *info = (info_t){.name = name, .version = version, .description = description};
}

bool fail(error_t *error, text_t code, text_t message, text_t field) {
  *error = (error_t){.code = code, .message = message, .retryable = false};
  error->field.is_some = field.len > 0;
  error->field.val = field;
  return false;
}

bool settings_read(context_t *cx, const text_t *known, size_t count, object_t *settings, error_t *error) {
  *settings = (object_t){NULL, 0};
  if (cx->settings.len == 0) return true;
  if (!object_parse(cx->settings, settings))
    return fail(error, TEXT("invalid-settings"), TEXT("the settings are not a JSON object"), TEXT(""));
  for (size_t n = 0; n < settings->count; n++) {
    text_t name = settings->members[n].name;
    bool fits = false;
    for (size_t k = 0; k < count && !fits; k++) fits = text_equal(known[k], name);
    if (!fits) return fail(error, TEXT("invalid-settings"), text_join(TEXT("there is no setting "), name), name);
  }
  return true;
}

bool document_read(document_t *document, object_t *object, error_t *error) {
  if (object_parse(document->body, object)) return true;
  return fail(error, TEXT("invalid-document"),
              TEXT("the document is not a JSON object, is nested too deep, or has a name twice"), TEXT(""));
}

#ifdef SELARAS_STRATEGY
static bool decided(verdict_t *verdict, uint8_t decision, text_t reason) {
  *verdict = (verdict_t){.reason = reason};
  verdict->decision.tag = decision;
  return true;
}

bool keep_local(verdict_t *verdict, text_t reason) {
  return decided(verdict, EXPORTS_SELARAS_PLUGIN_STRATEGY_DECISION_KEEP_LOCAL, reason);
}

bool take_cloud(verdict_t *verdict, text_t reason) {
  return decided(verdict, EXPORTS_SELARAS_PLUGIN_STRATEGY_DECISION_TAKE_CLOUD, reason);
}

bool merge(verdict_t *verdict, const object_t *object, text_t reason) {
  decided(verdict, EXPORTS_SELARAS_PLUGIN_STRATEGY_DECISION_MERGE, reason);
  verdict->decision.val.merge = object_print(object);
  return true;
}

bool delete_both(verdict_t *verdict, text_t reason) {
  return decided(verdict, EXPORTS_SELARAS_PLUGIN_STRATEGY_DECISION_DELETE, reason);
}

bool defer(verdict_t *verdict, text_t reason) {
  return decided(verdict, EXPORTS_SELARAS_PLUGIN_STRATEGY_DECISION_DEFER, reason);
}
#else
bool put(outcome_t *outcome, document_t *document, const object_t *object) {
  outcome->tag = EXPORTS_SELARAS_PLUGIN_MAPPER_OUTCOME_PUT;
  outcome->val.put = *document;
  if (object != NULL) outcome->val.put.body = object_print(object);
  return true;
}

bool skip(outcome_t *outcome, text_t reason) {
  outcome->tag = EXPORTS_SELARAS_PLUGIN_MAPPER_OUTCOME_SKIP;
  outcome->val.skip = reason;
  return true;
}
#endif
