from shared.runtime.fifo_dict import FifoDict


def test_a_full_dict_drops_its_oldest_key() -> None:
    values: FifoDict[str, int] = FifoDict(2)
    for number, key in enumerate("abc"):
        values.put(key, number)
    assert values == {"b": 1, "c": 2}


def test_a_key_that_is_present_is_replaced_without_dropping_another() -> None:
    values: FifoDict[str, int] = FifoDict(2)
    values.put("a", 1)
    values.put("b", 2)
    values.put("a", 3)
    assert values == {"a": 3, "b": 2}
    values.put("c", 4)
    assert values == {"b": 2, "c": 4}
