/* The count of stock is the shop's; everything else is the cloud's. */
#include "selaras.h"

void exports_selaras_plugin_info_describe(info_t *info) {
  describe_as(info, TEXT("{{name}}"), TEXT("0.1.0"), TEXT("Say in one sentence what {{name}} does"));
}

bool exports_selaras_plugin_strategy_resolve(context_t *cx, exports_selaras_plugin_strategy_conflict_t *conflict,
                                             verdict_t *verdict, error_t *error) {
  object_t settings, local, merged;
  if (!settings_read(cx, &TEXT("field"), 1, &settings, error)) return false;
  text_t field = TEXT("stock");
  member_t *setting = object_find(&settings, TEXT("field"));
  if (setting != NULL && !json_string(setting->value, &field))
    return fail(error, TEXT("invalid-settings"), TEXT("`field` is the name of a field"), TEXT("field"));
  if (conflict->local.deleted || conflict->cloud.deleted)
    return defer(verdict, TEXT("One side deleted it, which a person should look at."));
  if (!document_read(&conflict->local, &local, error) || !document_read(&conflict->cloud, &merged, error)) return false;
  member_t *counted = object_find(&local, field);
  if (counted == NULL) return take_cloud(verdict, TEXT("The shop counted nothing."));
  object_set(&merged, field, counted->value);
  return merge(verdict, &merged, TEXT("The shop's count, and the cloud's everything else."));
}
