/* Fields have other names at the cloud, by the setting `rename` ({"name": "title"}). */
#include "selaras.h"

void exports_selaras_plugin_info_describe(info_t *info) {
  describe_as(info, TEXT("{{name}}"), TEXT("0.1.0"), TEXT("Say in one sentence what {{name}} does"));
}

/* The outlet's names and the cloud's: of each member its name and, as text, its value. */
static bool rules_read(context_t *cx, object_t *rules, error_t *error) {
  object_t settings;
  *rules = (object_t){NULL, 0};
  if (!settings_read(cx, &TEXT("rename"), 1, &settings, error)) return false;
  member_t *rename = object_find(&settings, TEXT("rename"));
  bool fits = rename == NULL || object_parse(rename->value, rules);
  for (size_t n = 0; fits && n < rules->count; n++) fits = json_string(rules->members[n].value, &rules->members[n].value);
  if (fits) return true;
  return fail(error, TEXT("invalid-settings"), TEXT("`rename` is an object of the outlet's names and the cloud's"),
              TEXT("rename"));
}

/* The document with its members under other names. What would not find its way back is refused. */
static bool renamed(document_t *document, const object_t *rules, bool back, outcome_t *outcome, error_t *error) {
  object_t object;
  if (document->deleted) return put(outcome, document, NULL);
  if (!document_read(document, &object, error)) return false;
  for (size_t n = 0; n < object.count; n++) {
    text_t name = object.members[n].name, to = name;
    bool from_found = false, to_found = false;
    for (size_t k = 0; k < rules->count; k++) {
      const member_t *rule = &rules->members[k];
      text_t from_name = back ? rule->value : rule->name, to_name = back ? rule->name : rule->value;
      if (text_equal(from_name, name)) from_found = true, to = to_name;
      if (text_equal(to_name, name)) to_found = true;
    }
    if (to_found && !from_found)
      return fail(error, TEXT("field-name-taken"), text_join(name, TEXT(" is what another field is called there")), name);
    object.members[n].name = to;
  }
  return put(outcome, document, &object);
}

bool exports_selaras_plugin_mapper_to_cloud(context_t *cx, document_t *document, outcome_t *outcome, error_t *error) {
  object_t rules;
  return rules_read(cx, &rules, error) && renamed(document, &rules, false, outcome, error);
}

bool exports_selaras_plugin_mapper_to_local(context_t *cx, document_t *document, outcome_t *outcome, error_t *error) {
  object_t rules;
  return rules_read(cx, &rules, error) && renamed(document, &rules, true, outcome, error);
}
