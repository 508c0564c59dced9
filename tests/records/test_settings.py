from yt8m.records.settings import Setting, group_settings


def setting(value, reason="few videos"):
    return Setting(value=value, reason=reason, automatic=True)


def test_settings_that_are_equal_in_key_value_and_reason_are_one_row():
    found = [
        ("epochs", setting(5), "a"),
        ("batch_size", setting(5), "a"),
        ("epochs", setting(6), "b"),
        ("epochs", setting(5, "stated"), "c"),
        ("epochs", setting(5), "d"),
        ("size_margin", setting([1]), ""),
        ("size_margin", setting([1]), ""),
    ]
    assert [(row.key, row.setting.value, row.names) for row in group_settings(found)] == [
        ("epochs", 5, ("a", "d")),
        ("batch_size", 5, ("a",)),
        ("epochs", 6, ("b",)),
        ("epochs", 5, ("c",)),
        ("size_margin", [1], ()),
    ]
