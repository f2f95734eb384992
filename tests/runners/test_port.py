from ci_toolkit.runners import port
from ci_toolkit.runners.port import Answer, Boot, Job


def test_what_the_kernel_hands_on_survives_its_command_line() -> None:
    told = Boot(modules=("/usr/lib/a b.ko", '/lib/"q".ko'), inside="/var/tmp/x", share="/home/müller/out put=1")
    word = port.word(told)
    assert port.boot(word) == told
    assert set(word).isdisjoint(" \t\n\"'=,.")


def test_a_job_is_one_line_whatever_is_in_it() -> None:
    job = Job(argv=("printf", "a\nb", "\udcff"), environment={"A": "\n"}, directory="/")
    assert "\n" not in port.encode(job)
    assert port.job(port.encode(job).encode()) == job


def test_an_answer_is_one_line_whatever_is_in_it() -> None:
    for answer in (Answer(), Answer(line="a\nb"), Answer(exit_code=0, stdout="é\n", stderr="\x1b[0m")):
        assert "\n" not in port.encode(answer)
        assert port.answer(port.encode(answer).encode()) == answer
