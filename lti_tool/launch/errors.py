"""Why a login or a launch is refused: one class a cause, each with its status, code and two sentences.

::

    LaunchRefused (lti_tool.errors.Refused)
    ├── LoginMalformed        400  a parameter is repeated, too long or unreadable
    ├── IssuerMissing         400
    ├── LoginHintMissing      400
    ├── LoginTargetWrong      400  target_link_uri is not this tool's launch address
    ├── ClientAmbiguous       400  several registrations at one issuer and no client_id
    ├── TooManyLogins         429
    ├── NotRegistered         403  issuer or client unknown: one page for both, so that nobody can probe
    ├── RegistrationDisabled  403
    ├── LaunchTooLarge        413
    ├── LaunchNotAForm        415
    ├── PlatformSaidNo        401  the platform sent an error instead of a token
    ├── TokenMissing          400
    ├── StateMissing          400
    ├── StateUnknown          401
    ├── StateExpired          401
    ├── CookieMissing         401  the browser that launches is not the one that logged in, or blocks cookies
    ├── AlreadyLaunched       409
    ├── TokenMalformed        400  not three parts of JSON objects
    ├── ClaimWrong            400  a claim is missing or of the wrong kind
    ├── VersionWrong          400
    ├── TargetWrong           400
    ├── ReturnUrlWrong        400
    ├── NotAuthentic          401
    │   ├── AlgorithmRefused
    │   ├── HeaderRefused
    │   ├── KeyUnknown
    │   ├── SignatureWrong
    │   ├── IssuerWrong
    │   ├── AudienceWrong
    │   ├── NonceWrong
    │   └── TimesWrong
    ├── DeploymentPending     403
    ├── DeploymentDisabled    403
    ├── DeepLinkingNotAllowed 403
    ├── QuizUnknown           404
    ├── SubmissionUnknown     404  the answer to be shown is not there, or not for this person
    ├── MessageUnknown        422
    ├── UserAnonymous         422
    ├── ContextMissing        422
    ├── DeepLinkingUnusable   422
    └── KeysUnavailable       503

    FormNotOurs (lti_tool.errors.Refused)  403  after the launch: a form without its token

The statuses follow LTI in practice: 400 malformed, 401 not authentic, 403 authentic but not allowed, 404 unknown
within the tenant, 409 already used, 422 a valid token with an unusable message.
"""

from __future__ import annotations

from lti_tool.errors import Refused

_AGAIN = "Please open the quiz again from your course."


class LaunchRefused(Refused):
    """A login or a launch is refused; nothing but an audit row is stored."""

    status = 400
    code = "LTI-LAUNCH"
    student_text = f"The quiz could not be opened. {_AGAIN}"
    instructor_text = "The learning platform sent a message that this tool cannot accept."
    # Seconds until another try makes sense.
    retry_after_seconds: float | None = None


# The login --------------------------------------------------------------------------------------------------------


class LoginMalformed(LaunchRefused):
    """A login parameter is repeated, too long or unreadable."""

    code = "LTI-LOGIN-FORM"
    instructor_text = "The login request of the platform is malformed: a parameter is repeated or too long."


class IssuerMissing(LaunchRefused):
    """The login names no issuer."""

    code = "LTI-LOGIN-ISS"
    instructor_text = "The login request lacks `iss`. Was this address opened by hand? It is for the platform only."


class LoginHintMissing(LaunchRefused):
    """The login names no user."""

    code = "LTI-LOGIN-HINT"
    instructor_text = "The login request of the platform lacks `login_hint`."


class LoginTargetWrong(LaunchRefused):
    """The login's ``target_link_uri`` is missing, of another host or not the launch address."""

    code = "LTI-LOGIN-TARGET"
    instructor_text = (
        "The activity's address (target_link_uri) is not the launch address of this tool: use /lti/launch."
    )


class ClientAmbiguous(LaunchRefused):
    """Several registrations share the issuer, and the login does not say which."""

    code = "LTI-LOGIN-CLIENT"
    instructor_text = "Use the login address of your own registration (/lti/login/…): several share this issuer."


class TooManyLogins(LaunchRefused):
    """One address logs in too often."""

    status = 429
    code = "LTI-LOGIN-RATE"
    student_text = "Too many people are opening quizzes from this place at once. Please wait a minute and try again."
    instructor_text = "Too many logins from one address within a minute."
    retry_after_seconds = 60


class NotRegistered(LaunchRefused):
    """No registration fits; the same page whether issuer, client or address is unknown."""

    status = 403
    code = "LTI-REGISTRATION"
    student_text = "Your course is not connected with this tool yet. Please tell your instructor."
    instructor_text = "This platform is not registered here. The administrator of this tool can add it."


class RegistrationDisabled(LaunchRefused):
    """The registration was switched off."""

    status = 403
    code = "LTI-DISABLED"
    student_text = "The connection with your course is switched off. Please tell your instructor."
    instructor_text = "The registration of this platform is disabled. Contact the administrator of this tool."


# The launch as an HTTP request ------------------------------------------------------------------------------------


class LaunchTooLarge(LaunchRefused):
    """The request is larger than any launch."""

    status = 413
    code = "LTI-SIZE"
    instructor_text = "The launch message is larger than 256 KiB."


class LaunchNotAForm(LaunchRefused):
    """The request is no form."""

    status = 415
    code = "LTI-TYPE"
    instructor_text = "A launch is a form (application/x-www-form-urlencoded)."


class PlatformSaidNo(LaunchRefused):
    """The platform answered the login with an error, mostly because its own session ended."""

    status = 401
    code = "LTI-PLATFORM"
    student_text = "Your learning platform did not let you in: you may be logged out there. Log in again, then open the"
    student_text += " quiz from your course."
    instructor_text = "The platform answered the login with an error."


class TokenMissing(LaunchRefused):
    """The launch has no ``id_token``."""

    code = "LTI-TOKEN-MISSING"
    instructor_text = "The launch lacks `id_token`."


class StateMissing(LaunchRefused):
    """The launch has no ``state``."""

    code = "LTI-STATE-MISSING"
    instructor_text = "The launch lacks `state`."


class StateUnknown(LaunchRefused):
    """The state was never issued, or was altered."""

    status = 401
    code = "LTI-STATE"
    instructor_text = "The launch does not answer a login of this tool."


class StateExpired(LaunchRefused):
    """More than ten minutes passed between login and launch."""

    status = 401
    code = "LTI-STATE-OLD"
    student_text = f"Opening the quiz took too long. {_AGAIN}"
    instructor_text = "More than ten minutes passed between login and launch."


class CookieMissing(LaunchRefused):
    """The browser that posts the launch lacks the cookie of its login: blocked in a frame, or another browser.

    ``restart_url`` begins the same login again and is meant for a new window.
    """

    status = 401
    code = "LTI-COOKIE"
    student_text = "Your browser blocks cookies inside other pages. Open the quiz in a new window."
    instructor_text = "The browser did not send the login's cookie. A new window, or another browser, helps."

    def __init__(self, log_detail: str = "", *, restart_url: str = "") -> None:
        super().__init__(log_detail)
        self.restart_url = restart_url


class AlreadyLaunched(LaunchRefused):
    """The launch was used before: a reload, the back button or a replay."""

    status = 409
    code = "LTI-USED"
    student_text = f"This launch was already used. {_AGAIN}"
    instructor_text = "A launch message works once; a reload or the back button sends it twice."


# The token --------------------------------------------------------------------------------------------------------


class TokenMalformed(LaunchRefused):
    """The token is not three parts of base64url, or they are no plain JSON objects."""

    code = "LTI-TOKEN-FORM"
    instructor_text = "The launch message of the platform is malformed."


class ClaimWrong(LaunchRefused):
    """A claim is missing, of the wrong kind or too long."""

    code = "LTI-CLAIM"
    instructor_text = "The launch message of the platform lacks a claim or has one of the wrong kind."


class VersionWrong(LaunchRefused):
    """The message is not LTI 1.3.0."""

    code = "LTI-VERSION"
    instructor_text = "This tool speaks LTI 1.3.0 only."


class TargetWrong(LaunchRefused):
    """The token's ``target_link_uri`` is missing, foreign, or not the one of the login."""

    code = "LTI-TARGET"
    instructor_text = "The activity's address (target_link_uri) is not the launch address of this tool."


class ReturnUrlWrong(LaunchRefused):
    """The deep linking return address is not one of the platform."""

    code = "LTI-DL-RETURN"
    instructor_text = "The address for the chosen content does not belong to the registered platform."


class NotAuthentic(LaunchRefused):
    """The token is not a fresh one of the platform for us."""

    status = 401
    code = "LTI-AUTH"
    instructor_text = "The launch message could not be verified as a fresh one from the registered platform."


class AlgorithmRefused(NotAuthentic):
    """Any algorithm but RS256."""

    code = "LTI-ALG"


class HeaderRefused(NotAuthentic):
    """The token's header lacks ``kid``, or brings its own key or critical extensions."""

    code = "LTI-HEADER"


class KeyUnknown(NotAuthentic):
    """The platform publishes no such key, or two of one name."""

    code = "LTI-KEY"
    instructor_text = "The platform does not publish the key that signed this launch. Check the key set URL."


class SignatureWrong(NotAuthentic):
    """The signature does not fit the token."""

    code = "LTI-SIGNATURE"


class IssuerWrong(NotAuthentic):
    """The token's issuer is not that of the login."""

    code = "LTI-ISS"
    instructor_text = "The launch comes from another issuer than its login. Compare the issuer, to the letter."


class AudienceWrong(NotAuthentic):
    """The token is for another client."""

    code = "LTI-AUD"
    instructor_text = "The launch is meant for another client id than the registered one."


class NonceWrong(NotAuthentic):
    """The nonce is not the one issued with the state."""

    code = "LTI-NONCE"


class TimesWrong(NotAuthentic):
    """The token is too old, too young, or lives too long."""

    code = "LTI-TIME"
    student_text = f"Opening the quiz took too long. {_AGAIN}"
    instructor_text = "The launch message is outdated, or the clocks of platform and tool differ by over 30 seconds."


# The message ------------------------------------------------------------------------------------------------------


class DeploymentPending(LaunchRefused):
    """The deployment is new and waits for the administrator of this tool."""

    status = 403
    code = "LTI-DEPLOYMENT"
    student_text = "Your course's connection with this tool waits for approval. Please tell your instructor."
    instructor_text = "This deployment is new here and waits for approval by the administrator of this tool."


class DeploymentDisabled(LaunchRefused):
    """The deployment was switched off."""

    status = 403
    code = "LTI-DEPLOYMENT-OFF"
    student_text = "The connection with your course is switched off. Please tell your instructor."
    instructor_text = "This deployment is disabled. Contact the administrator of this tool."


class DeepLinkingNotAllowed(LaunchRefused):
    """Someone without the role of an instructor wants to add content."""

    status = 403
    code = "LTI-DL-ROLE"
    student_text = "Only instructors can add quizzes to a course."
    instructor_text = "Your role in this course does not allow adding quizzes."


class QuizUnknown(LaunchRefused):
    """The placement names a quiz that does not exist for this registration."""

    status = 404
    code = "LTI-QUIZ"
    student_text = "This quiz is no longer there. Please tell your instructor."
    instructor_text = "The quiz of this activity does not exist, or belongs elsewhere. Add it to the course again."


class SubmissionUnknown(LaunchRefused):
    """The answer that the gradebook wants to show is not in this course, or not for this person to see."""

    status = 404
    code = "LTI-REVIEW"
    student_text = "There is no such answer here, or it is not yours. Please open the quiz from your course."
    instructor_text = (
        "This person has handed in nothing here, or the answer belongs to another course. Only instructors of the"
        " course may see the answers of others."
    )


class MessageUnknown(LaunchRefused):
    """The message type is missing or not one of ours."""

    status = 422
    code = "LTI-MESSAGE"
    instructor_text = "This tool handles resource link launches and deep linking only."


class UserAnonymous(LaunchRefused):
    """A graded quiz was launched without a user."""

    status = 422
    code = "LTI-ANONYMOUS"
    student_text = "This quiz is graded and needs a signed-in user. Log in to your course, then open it again."
    instructor_text = "The platform sent no user (`sub`): a graded quiz needs a signed-in user."


class ContextMissing(LaunchRefused):
    """The launch names no course."""

    status = 422
    code = "LTI-CONTEXT"
    student_text = "Please open the quiz from inside a course."
    instructor_text = "The launch names no course (context claim): add the quiz inside a course."


class DeepLinkingUnusable(LaunchRefused):
    """The platform does not accept what we have to offer."""

    status = 422
    code = "LTI-DL"
    instructor_text = "The platform does not accept LTI links in this place: add the quiz as an activity or assignment."


class KeysUnavailable(LaunchRefused):
    """The platform's key set cannot be fetched or read."""

    status = 503
    code = "LTI-KEYS"
    student_text = "Your learning platform cannot be reached at the moment. Please try again in a minute."
    instructor_text = "The key set of the platform cannot be fetched, so nobody can be verified. Check its URL."
    retry_after_seconds = 30


# After the launch -------------------------------------------------------------------------------------------------


class FormNotOurs(Refused):
    """A form without the launch's token, or sent from another site."""

    status = 403
    code = "FORM-TOKEN"
    student_text = "This form could not be verified. Please reload the page and try again; what was saved is kept."
    instructor_text = "The form lacks the token of this launch, or came from another site."
