"""Personal data in texts: what is taken out, and what only looks like it and stays."""

from __future__ import annotations

import unicodedata

import pytest

from lti_tool.exports.names import words_of
from lti_tool.exports.scrubbing import People, Scrubber

PEOPLE = [
    ("user-grace", "Grace Hopper"),
    ("2", "Will Max"),
    ("3", "김지수"),
    ("4", "남궁민준"),
    ("5", "An Li"),
    ("6", "王小明"),
    ("7", "Jean-Luc O'Brien"),
    ("8", "Kim, Minjun"),
    ("9", "이유"),
    ("10", None),
    ("11", "서연 박"),
    ("12", ""),
    ("13", "José García"),
    ("14", "Nguyễn Ân"),
]


def scrub(text: str, *, own: str | None = "Ada Lovelace", question: str = "") -> str:
    return Scrubber(people=People.of(PEOPLE)).scrub(text, own_name=own, spared=words_of(question))


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("I am Ada Lovelace.", "I am ⟨name⟩."),
        ("ADA LOVELACE and ada lovelace", "⟨name⟩ and ⟨name⟩"),
        ("Lovelace, Ada", "⟨name⟩"),
        ("lovelace's view", "⟨name⟩'s view"),
        ("signed: Ada", "signed: ⟨name⟩"),
        ("Grace said so, hopper too", "⟨name⟩ said so, ⟨name⟩ too"),
        ("o'brien and Jean-Luc", "⟨name⟩ and ⟨name⟩"),
        ("Minjun은 Kim에게", "⟨name⟩은 ⟨name⟩에게"),
        ("김지수가 말했다", "⟨name⟩가 말했다"),
        ("지수 씨와 지수에게", "⟨name⟩ 씨와 ⟨name⟩에게"),
        ("남궁민준입니다", "⟨name⟩입니다"),
        ("박서연이 썼다", "⟨name⟩이 썼다"),
        ("王小明说的", "⟨name⟩说的"),
        ("Max told me", "⟨name⟩ told me"),
        ("Jose Garcia and José García", "⟨name⟩ and ⟨name⟩"),
        ("nguyen says", "⟨name⟩ says"),
        ("by MinjunKim", "by ⟨name⟩"),
        ("KimMinjun이 썼다", "⟨name⟩이 썼다"),
        ("minjun_kim and Grace_Hopper", "⟨name⟩ and ⟨name⟩"),
        ("adalovelace, GraceHopper", "⟨name⟩, ⟨name⟩"),
    ],
)
def test_names_are_taken_out_as_words_in_any_case(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "The model will use max pooling.",
        "An optimiser. Will it overfit?",
        "adaptive gradients, gracefully",
        "지수 함수의 지수",
        "A lion",
        "metadata",
        "MaxPooling, WillMaxOut, GraceHopperite",
    ],
)
def test_ordinary_words_that_are_parts_of_names_stay(text: str) -> None:
    assert scrub(text) == text


def test_a_word_of_the_question_is_nobody_elses_name() -> None:
    assert scrub("이유는 과적합이다", question="이유를 쓰시오. 이유") == "이유는 과적합이다"
    assert scrub("이유는 과적합이다") == "⟨name⟩는 과적합이다"
    assert scrub("the Hopper", question="What is a hopper?") == "the Hopper"
    assert scrub("Grace Hopper", question="What is a hopper?") == "⟨name⟩", "a whole name is one"


def test_the_learners_own_name_in_hangul_is_found_inside_of_a_word() -> None:
    assert scrub("저는김민준입니다", own="김민준") == "저는⟨name⟩입니다"
    assert scrub("이름은김민준", own="김 민준") == "이름은⟨name⟩"
    assert scrub("나는김지수와", own="김민준") == "나는김지수와", "others' names are words of their own"


def test_the_learners_own_name_goes_whatever_the_question_says() -> None:
    assert scrub("I, Ada", question="Explain Ada.") == "I, ⟨name⟩"
    assert scrub("민준은 안다", own="김민준", question="민준") == "⟨name⟩은 안다"


def test_a_learner_without_a_name_has_the_others_taken_out() -> None:
    assert scrub("Grace Hopper helped", own=None) == "⟨name⟩ helped"


def test_decomposed_hangul_is_the_same_name() -> None:
    assert scrub(unicodedata.normalize("NFD", "김지수가")) == "⟨name⟩가"


@pytest.mark.parametrize("mail", ["ada@example.org", "a.b+c@mail.example.co.kr", "a_b%c@x-y.edu"])
def test_mail_addresses_are_taken_out(mail: str) -> None:
    assert scrub(f"write to {mail}, please") == "write to ⟨mail⟩, please"


@pytest.mark.parametrize(
    "mail",
    [
        "kim(at)x.com",
        "kim (at) x.com",
        "kim [at] x dot com",
        "kim[at]mail[dot]example[dot]ac[dot]kr",
        "m.kim at example dot edu",
        "kim 골뱅이 naver.com",
        "kim골뱅이naver 점 com",
        "kim@163.com",
    ],
)
def test_mail_addresses_that_are_spelt_out_are_taken_out(mail: str) -> None:
    assert scrub(f"me: {mail}, please") == "me: ⟨mail⟩, please"
    assert scrub(f"제 메일은 {mail}입니다").startswith("제 메일은 ⟨mail⟩")


@pytest.mark.parametrize(
    "phone",
    [
        "010-1234-5678",
        "01012345678",
        "010 1234 5678",
        "02-123-4567",
        "031.123.4567",
        "070-1234-5678",
        "1588-1234",
        "０１０－１２３４－５６７８",
        "+82 10-1234-5678",
        "+1 (555) 123-4567",
        "+49 30 1234567",
        "0049 30 1234567",
        "(555) 123-4567",
        "555-123-4567",
        "030 1234567",
    ],
)
def test_phone_numbers_are_taken_out(phone: str) -> None:
    assert scrub(f"call {phone}.") == "call ⟨phone⟩."


@pytest.mark.parametrize(
    "number",
    [
        "20231234",
        "s2023123",
        "2020-12345",
        "900101-1234567",
        "https://github.com/ada",
        "https://x.edu/~ada/p.html",
        "http://x.org/users/ada",
        "https://x.org/?user=ada",
        "www.x.com/~kim",
        "x.edu/~kim/p.html",
        "github.com/kim",
        "github.com/kim/dropout-notes",
        "www.linkedin.com/in/kim",
        "linkedin.com/in/kim",
        "velog.io/@kim",
        "m.facebook.com/kim",
        "cs.example.ac.kr/people/kim",
        "github.com/pytorch-kim",
        "user-grace",
        "USER-GRACE",
    ],
)
def test_numbers_of_people_and_their_pages_are_taken_out(number: str) -> None:
    assert scrub(f"me: {number} ok") == "me: ⟨id⟩ ok"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("제 번호는 010-1234-5678입니다", "제 번호는 ⟨phone⟩입니다"),
        ("번호는01012345678이에요", "번호는⟨phone⟩이에요"),
        ("010 - 1234 - 5678로", "⟨phone⟩로"),
        ("+82-10-1234-5678로", "⟨phone⟩로"),
        ("학번은 20231234입니다", "학번은 ⟨id⟩입니다"),
        ("학번2023-12345이고", "학번⟨id⟩이고"),
        ("900101-1234567입니다", "⟨id⟩입니다"),
        ("user-grace는 안다", "⟨id⟩는 안다"),
        ("학번 123456", "학번 ⟨id⟩"),
        ("학번은 123456입니다", "학번은 ⟨id⟩입니다"),
        ("제학번:a12345이고", "제학번:⟨id⟩이고"),
        ("123456이 제 학번입니다", "⟨id⟩이 제 학번입니다"),
        ("123456(학번)", "⟨id⟩(학번)"),
        ("student no. 123456", "student no. ⟨id⟩"),
        ("My student number is 123456.", "My student number is ⟨id⟩."),
        ("Student ID: s12345", "Student ID: ⟨id⟩"),
        ("123456 is my student number", "⟨id⟩ is my student number"),
        ("github.com/kim에 있다", "⟨id⟩ 있다"),
        ("매개변수는 25000000개", "매개변수는 25000000개"),
    ],
)
def test_particles_stand_directly_beside_a_number(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "1000000 parameters and 175000000000 tokens",
        "pi is 3.14159265 and 0.123456789",
        "1,234,567,890 words",
        "2^12345678 and 12345678 * 3",
        "0101010101 in bits",
        "from 1998-2003, in 2024",
        "a learning rate of 1e-4, 10-20 epochs",
        "(0.8, 0.9) and [1, 2, 3]",
        "https://en.wikipedia.org/wiki/Dropout",
        "x @ y, the @property",
        "f1@k, recall@10, precision@k.But hit@10.The rest",
        "mAP@0.5 and mAP@0.5:0.95, AP@0.75입니다",
        "ndcg@10 = 0.41, pass@1 of 65536 samples",
        "scikit-learn.org and scikit-learn.org/stable/modules/svm.html",
        "pytorch.org/docs/stable/nn.html, arxiv.org/abs/1706.03762",
        "github.com/pytorch/pytorch and https://github.com/scikit-learn/scikit-learn",
        "torch.nn.functional.relu(x)/in/out, np.dot(a, b), sklearn.metrics/users",
        "the gradient at x dot product y, evaluated (at) x.grad",
        "look at the dot product at layer 3",
        "a batch of 100000, 123456 weights, vocab 50257, seed 123456",
        "The student network has 123456 parameters, the teacher 654321",
        "학생 모델은 123456개의 매개변수, 2019학번",
        "distil 100000 student numbers",
        "tokens like [CLS] at position 0 (at most 512)",
        "loss ~ 0.5, y ~ N(0, 1), H0: x.mean()/~5",
    ],
)
def test_quantities_and_formulas_stay(text: str) -> None:
    assert scrub(text) == text


def test_what_was_taken_out_is_counted() -> None:
    scrubber = Scrubber(people=People.of(PEOPLE))
    scrubber.scrub("Ada, ada@x.org, 010-1234-5678, 20231234, Grace", own_name="Ada", spared=frozenset())
    assert scrubber.counts == {"name": 2, "mail": 1, "phone": 1, "id": 1}


def test_a_mark_is_no_name() -> None:
    assert scrub("ada@x.org", own="Mail Name") == "⟨mail⟩"


def test_a_name_that_is_a_pattern_is_only_letters() -> None:
    assert scrub("a.*b", own=".*") == "a.*b"
    assert scrub("Bobby Tables", own="Bobby'); DROP TABLE users;-- (Tables)") == "⟨name⟩ ⟨name⟩"


def test_long_texts_with_nothing_but_digits_or_letters_take_linear_time() -> None:
    for piece in (
        *("1", "a", "@", "a.", "0 ", "가", "+1 ", "http://", "user="),
        *("a at ", "a(at)", "a dot ", "com/", "a.com/", "github.com/", "학번 ", "student no ", "MinjunKim", "a_"),
    ):
        scrub(piece * (100_000 // len(piece)))
