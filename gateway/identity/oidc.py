"""Logging in through the OpenID provider: out with a state, back with a code, in as whom we know.

Whoever finishes must be who started: the ``binding`` stays with the client that asked and never
travels through the provider, so that nobody can be logged in to somebody else's account (login
CSRF). Identity is issuer and subject, never an e-mail address.
"""

import secrets
from datetime import timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crmkit import codec
from crmkit.clock import now
from crmkit.db import Encoded, encode, missing
from crmkit.errors import Conflict, Unavailable
from crmkit.settings import Settings
from gateway import audit, keys
from gateway.identity import factors, families, mfa, openid, sessions
from gateway.identity.attempts import Wait
from gateway.identity.factors import Challenged, Refused
from gateway.identity.families import Opened, digest
from gateway.identity.models import OidcLogin, Staff, StaffIdentity, UnlinkedIdentity
from gateway.identity.openid import Provider
from gateway.identity.roles import grants_of, refuse_more_than_own
from gateway.identity.staff import found, refuse_own
from gateway.problems import Problem
from gateway.resources import Resources
from gateway.routes import Call

AWAY = timedelta(minutes=10)


def _provider(settings: Settings) -> Provider:
    provider = openid.configured(settings)
    if provider is None:
        raise Problem(404, "oidc_not_configured", "This installation has no OpenID provider.")
    return provider


async def start_oidc(resources: Resources, call: Call) -> Encoded:
    """Begin a login at the provider."""
    provider = _provider(resources.settings)
    known = await openid.metadata(provider, resources.talks)
    endpoint = known["authorization_endpoint"]
    state, nonce, binding = (secrets.token_urlsafe(32) for _ in range(3))
    verifier = openid.new_verifier()
    run = resources.database.within(call.context).run
    await resources.in_thread(
        run, _left, state=state, nonce=nonce, binding=binding, verifier=verifier
    )
    url = openid.authorization_url(provider, endpoint, state=state, nonce=nonce, verifier=verifier)
    reply = {
        "authorization_url": url,
        "state": state,
        "binding": binding,
        "expires_in": int(AWAY.total_seconds()),
    }
    return Encoded(codec.dumps(reply))


def _place(state_hash: bytes) -> str:
    return f"oidc_login/verifier/{state_hash.hex()}"


def _left(session: Session, *, state: str, nonce: str, binding: str, verifier: str) -> None:
    hashed = digest(state)
    session.add(
        OidcLogin(
            state_hash=hashed,
            binding_hash=digest(binding),
            nonce=nonce,
            verifier=keys.seal(verifier.encode(), place=_place(hashed)),
            expires_at=now() + AWAY,
        )
    )


def _back(session: Session, *, state: str, binding: str) -> tuple[str, str] | None:
    """Nonce and verifier of a login that comes back; it can only once, whoever it is."""
    hashed = digest(state)
    row = session.execute(
        delete(OidcLogin)
        .where(OidcLogin.state_hash == hashed)
        .returning(
            OidcLogin.binding_hash, OidcLogin.nonce, OidcLogin.verifier, OidcLogin.expires_at
        )
    ).one_or_none()
    if row is None or row.expires_at <= now():
        return None
    if not compare_digest(row.binding_hash, digest(binding)):
        return None
    return row.nonce, keys.unseal(row.verifier, place=_place(hashed)).decode()


async def finish_oidc(resources: Resources, call: Call) -> Encoded:
    """End a login at the provider with tokens, as password logins do.

    The session is opened after the provider has answered in time, never behind the back of who was
    told that it did not.
    """
    provider, asked = _provider(resources.settings), call.request
    run = resources.database.within(call.context).run
    back = await resources.in_thread(run, _back, state=asked["state"], binding=asked["binding"])
    if back is None:
        raise Problem(401, "oidc_state_invalid", "No login with that state is under way here.")
    nonce, verifier = back
    try:
        if asked["iss"] not in {None, provider.issuer}:  # RFC 9207: answers of another provider
            raise openid.Untrusted("The answer is of another issuer.")
        claims = await openid.exchange(
            provider, resources.talks, asked["code"], verifier, nonce=nonce
        )
    except openid.Untrusted as error:
        await resources.in_thread(run, _failed, why=str(error), subject=None)
        raise Problem(401, "oidc_refused", "The OpenID provider vouches for nobody.") from error
    except Unavailable as error:  # Not to be asked again as it is: the state is spent.
        wait = {"retry-after": str(error.details["retry_after"])}
        raise Problem(503, error.code, f"{error.message} Begin anew.", headers=wait) from error
    verdict = await resources.in_thread(
        run,
        _known,
        claims=claims,
        provider=provider,
        address=call.address,
        minutes=sessions.minutes_of(resources),
    )
    if isinstance(verdict, Refused):
        raise Problem(403, verdict.code, "Nobody here is linked to that identity.")
    return sessions.tokens(verdict)


def _failed(session: Session, *, why: str, subject: str | None) -> None:
    audit.note(session, "login.failed", "staff/unknown", method="oidc", why=why, sub=subject)


def _known(
    session: Session, *, claims: dict[str, Any], provider: Provider, address: str, minutes: int
) -> Opened | Challenged | Refused:
    """A session for whom the claims name; Refused when that is nobody here."""
    person = _named(session, provider, claims)
    if person is None:
        _failed(session, why="identity_unknown", subject=claims["sub"])
        return Refused("identity_unknown")
    if openid.strong(claims):
        return families.open_session(
            session, staff_id=person.id, address=address, minutes=minutes, method="oidc+mfa"
        )
    return sessions.passed(
        session, staff_id=person.id, address=address, minutes=minutes, method="oidc"
    )


def _named(session: Session, provider: Provider, claims: dict[str, Any]) -> Staff | None:
    """The active member of staff whose identity the claims are, locked."""
    issuer, subject = provider.issuer, claims["sub"]
    staff_id = _linked(session, issuer, subject)
    new = staff_id is None and provider.link_by_email
    person = families.locked(session, _has_address(session, claims) if new else staff_id)
    if person is None:
        return None
    if new:
        _link_by_address(session, person, issuer, subject)
    # Asked again behind the lock: it may have been taken away meanwhile.
    return person if _linked(session, issuer, subject) == person.id else None


def _linked(session: Session, issuer: str, subject: str) -> UUID | None:
    return session.scalar(
        select(StaffIdentity.staff_id).where(
            StaffIdentity.issuer == issuer, StaffIdentity.subject == subject
        )
    )


def _has_address(session: Session, claims: dict[str, Any]) -> UUID | None:
    """Who has the address that the provider verified."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    person = families.who_has(session, email)
    return person.id if person else None


def _link_by_address(session: Session, person: Staff, issuer: str, subject: str) -> None:
    """Link them unless another identity is theirs, or a colleague took this one from somebody."""
    theirs = select(StaffIdentity.id).where(
        StaffIdentity.staff_id == person.id, StaffIdentity.issuer == issuer
    )
    taken = session.get(UnlinkedIdentity, (issuer, subject))
    if taken is not None or session.scalar(theirs.limit(1)) is not None:
        return
    session.add(StaffIdentity(staff_id=person.id, issuer=issuer, subject=subject))
    by = f"staff:{person.id}"
    audit.note(session, "identity.linked", f"staff/{person.id}", by=by, how="verified e-mail")


def _shown(identity: StaffIdentity) -> dict[str, Any]:
    names = ("id", "issuer", "subject", "created_at")
    return {name: getattr(identity, name) for name in names}


def list_staff_identities(session: Session, *, staff_id: UUID) -> dict[str, Any]:
    """The identities of a colleague at OpenID providers."""
    query = select(StaffIdentity).where(StaffIdentity.staff_id == found(session, staff_id).id)
    rows = session.scalars(query.order_by(StaffIdentity.id).limit(families.MOST_SHOWN))
    return {"items": [_shown(row) for row in rows]}


def link_identity(session: Session, *, staff_id: UUID, issuer: str, subject: str) -> dict[str, Any]:
    """Let a colleague log in by an identity; asking twice answers the same.

    Conflict when it is somebody else's; Forbidden when they may do more than the actor, or are it.
    """
    refuse_own(session, staff_id, "own_identity", "/v1/me/identities")
    person = found(session, staff_id, lock=True)
    refuse_more_than_own(session, grants_of(session, person.roles))
    return _link(session, person, issuer, subject)


async def link_my_identity(resources: Resources, call: Call) -> Encoded:
    """Let oneself log in by an identity."""
    return encode(await mfa.proving(resources, call, _link_own))


def _link_own(
    session: Session, *, staff_id: UUID, password: str, issuer: str, subject: str
) -> Wait | Refused | dict[str, Any]:
    """A session alone, which may be stolen, must not give itself another way in."""
    person = factors.knows_password(session, staff_id, password)
    return _link(session, person, issuer, subject) if isinstance(person, Staff) else person


def _link(session: Session, person: Staff, issuer: str, subject: str) -> dict[str, Any]:
    query = select(StaffIdentity).where(
        StaffIdentity.issuer == issuer, StaffIdentity.subject == subject
    )
    identity = session.scalars(query).one_or_none()
    if identity is not None and identity.staff_id != person.id:
        raise Conflict("identity_taken", "That identity is somebody else's.")
    if identity is None:
        identity = StaffIdentity(staff_id=person.id, issuer=issuer, subject=subject)
        session.add(identity)
        session.flush()
        audit.note(session, "identity.linked", f"staff/{person.id}", issuer=issuer, sub=subject)
    return _shown(identity)


def unlink_identity(session: Session, *, staff_id: UUID, identity_id: UUID) -> None:
    """Take an identity from a colleague and end their sessions; NotFound when it is not theirs."""
    person = found(session, staff_id, lock=True)
    refuse_more_than_own(session, grants_of(session, person.roles))
    identity = session.get(StaffIdentity, identity_id)
    if identity is None or identity.staff_id != person.id:
        raise missing("Identity")
    session.delete(identity)
    session.merge(UnlinkedIdentity(issuer=identity.issuer, subject=identity.subject))
    families.end_all(session, person.id, "identity_unlinked")
    audit.note(session, "identity.unlinked", f"staff/{person.id}", issuer=identity.issuer)
