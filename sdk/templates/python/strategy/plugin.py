"""The count of stock is the shop's; everything else is the cloud's."""

import selaras
from wit_world import exports
from wit_world.exports.info import PluginInfo
from wit_world.exports.strategy import Decision_Defer, Decision_Merge, Decision_TakeCloud, Verdict


class Info(exports.Info):
    def describe(self):
        return PluginInfo("{{name}}", "0.1.0", "Say in one sentence what {{name}} does", [], [])


class Strategy(exports.Strategy):
    def resolve(self, cx, conflict):
        field = selaras.settings(cx, ["field"]).get("field", "stock")
        if not isinstance(field, str) or isinstance(field, selaras.Number):
            raise selaras.bad_setting("field", "`field` is the name of a field")
        if conflict.local.deleted or conflict.cloud.deleted:
            return Verdict(Decision_Defer(), "One side deleted it, which a person should look at.", [])
        local, merged = selaras.body(conflict.local), selaras.body(conflict.cloud)
        if field not in local:
            return Verdict(Decision_TakeCloud(), "The shop counted nothing.", [])
        merged[field] = local[field]
        reason = "The shop's count, and the cloud's everything else."
        return Verdict(Decision_Merge(selaras.print_json(merged)), reason, [])
