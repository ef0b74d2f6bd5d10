"""Fields have other names at the cloud, by the setting `rename` ({"name": "title"})."""

import selaras
from wit_world import exports
from wit_world.exports.info import PluginInfo
from wit_world.exports.mapper import Outcome_Put


class Info(exports.Info):
    def describe(self):
        return PluginInfo("{{name}}", "0.1.0", "Say in one sentence what {{name}} does", [], [])


class Mapper(exports.Mapper):
    def to_cloud(self, cx, doc):
        return renamed(doc, rules(cx))

    def to_local(self, cx, doc):
        return renamed(doc, {cloud: outlet for outlet, cloud in rules(cx).items()})


def rules(cx):
    """The outlet's names and the cloud's."""
    rename = selaras.settings(cx, ["rename"]).get("rename", {})
    if not isinstance(rename, dict) or not all(is_text(name) for name in rename.values()):
        raise selaras.bad_setting("rename", "`rename` is an object of the outlet's names and the cloud's")
    return rename


def is_text(value):
    return isinstance(value, str) and not isinstance(value, selaras.Number)


def renamed(document, rules):
    """The document with its members under other names. What would not find its way back is refused."""
    if document.deleted:
        return Outcome_Put(document)
    found = {}
    for name, value in selaras.body(document).items():
        if name in rules.values() and name not in rules:
            message = f"`{name}` is what another field is called there"
            raise selaras.error("field-name-taken", message, field=name)
        found[rules.get(name, name)] = value
    return Outcome_Put(selaras.with_body(document, found))
