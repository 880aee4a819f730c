"""Drives the key service with the client that Unkey publishes on PyPI.

    UNKEY_ROOT_KEY=... UNKEY_READER_KEY=... python tests/outside/unkey_drive.py ADDRESS

The second root key may read keys and nothing else.
Every answer is one that the client has types for, or the script ends with an error. What the
server does not have yet is told, a line each: `not served: NAME`.
"""

import json
import os
import sys
import time

from unkey.py import Unkey, errors

address = sys.argv[1]


def client(root_key):
    return Unkey(root_key=root_key, server_url=address, timeout_ms=20_000)


unkey = client(os.environ["UNKEY_ROOT_KEY"])


def soon(name, call):
    """Calls an operation that may not be served yet."""
    try:
        return call()
    except errors.UnkeyError as error:
        # An operation that never answers 404 has no type for it.
        is_missing = error.status_code == 404
        if not is_missing or not json.loads(error.body)["error"]["type"].endswith("/path_not_found"):
            raise
        print(f"not served: {name}")
        return None


def fails(kind, status, call):
    try:
        call()
    except kind as error:
        assert error.status_code == status, error
        return error
    raise AssertionError(f"no {kind.__name__}")


def code(key, **more):
    return unkey.keys.verify_key(key=key, **more).data.code.value


def pages(first):
    found = []
    while first is not None:
        found += first.result.data
        first = first.next()
    return found


# APIs.
api = unkey.apis.create_api(name="orders").data.api_id
assert api.startswith("api_"), api
assert unkey.apis.get_api(api_id=api).data.name == "orders"

# A key with everything.
made = unkey.keys.create_key(
    api_id=api,
    prefix="sk_live",
    name="Acme",
    external_id="acme-2",
    meta={"plan": "pro", "seats": [1, 2]},
    permissions=["orders.read", "orders.write"],
    credits={"remaining": 100, "refill": {"interval": "daily", "amount": 100}},
    ratelimits=[{"name": "requests", "limit": 50, "duration": 60_000, "auto_apply": True}],
).data
assert made.key.startswith("sk_live_"), made.key_id
shown = unkey.keys.get_key(key_id=made.key_id).data
assert shown.name == "Acme" and shown.meta == {"plan": "pro", "seats": [1, 2]}, shown
assert shown.credits.remaining == 100 and shown.credits.refill.amount == 100, shown
assert shown.identity.external_id == "acme-2", shown
assert shown.permissions == ["orders.read", "orders.write"], shown
assert unkey.keys.whoami(key=made.key).data.key_id == made.key_id

# Verifying it.
verified = unkey.keys.verify_key(
    key=made.key,
    permissions="orders.read AND (orders.write OR orders.delete)",
    credits={"cost": 2},
    ratelimits=[{"name": "requests"}],
    tags=["path=/orders"],
).data
assert verified.valid and verified.credits == 98, verified
assert verified.ratelimits[0].remaining == 49, verified
assert code(made.key, permissions="orders.delete") == "INSUFFICIENT_PERMISSIONS"
assert code(made.key, credits={"cost": 1000}) == "USAGE_EXCEEDED"
assert code("sk_live_nobody") == "NOT_FOUND"

# A key with nothing.
bare = unkey.keys.create_key(api_id=api).data
assert unkey.keys.get_key(key_id=bare.key_id).data.name is None

# Rerolls: at once, with a grace period of an hour, and with the expiry that there was.
second = unkey.keys.reroll_key(key_id=made.key_id, expiration=0).data
assert second.key.startswith("sk_live_")
assert code(made.key) == "EXPIRED" and code(second.key) == "VALID"
third = unkey.keys.reroll_key(key_id=second.key_id, expiration=3_600_000).data
assert code(second.key) == "VALID" and code(third.key) == "VALID"
ends = unkey.keys.get_key(key_id=second.key_id).data.expires
assert abs(ends - time.time() * 1000 - 3_600_000) < 60_000, ends
fourth = unkey.keys.reroll_key(key_id=third.key_id, expiration=None).data
assert code(third.key) == "VALID" and code(fourth.key) == "VALID"
assert unkey.keys.get_key(key_id=third.key_id).data.expires is None
try:
    unkey.keys.reroll_key(key_id=second.key_id, expiration=0)
    raise AssertionError("no conflict")
except errors.APIError as conflict:
    assert type(conflict) is errors.APIError and conflict.status_code == 409, conflict
    assert third.key_id in json.loads(conflict.body)["error"]["detail"], conflict.body

# Errors have types.
bad = fails(errors.BadRequestErrorResponse, 400, lambda: unkey.keys.get_key(key_id="a-b"))
assert bad.data.error.errors, bad
stranger = client("root_nobody")
fails(errors.UnauthorizedErrorResponse, 401, lambda: stranger.keys.get_key(key_id=made.key_id))
fails(errors.NotFoundErrorResponse, 404, lambda: unkey.keys.get_key(key_id="key_nobody"))
fails(errors.NotFoundErrorResponse, 404, lambda: unkey.apis.get_api(api_id="api_nobody"))

reader = client(os.environ["UNKEY_READER_KEY"]).keys
assert reader.get_key(key_id=fourth.key_id).data.key_id == fourth.key_id
forbidden = lambda: reader.reroll_key(key_id=fourth.key_id, expiration=0)
fails(errors.ForbiddenErrorResponse, 403, forbidden)

# Changing a key.
change = lambda **fields: soon("keys.updateKey", lambda: unkey.keys.update_key(key_id=fourth.key_id, **fields))
if change(name="Renamed", meta=None, enabled=False):
    changed = unkey.keys.get_key(key_id=fourth.key_id).data
    assert changed.name == "Renamed" and not changed.meta, changed
    assert code(fourth.key) == "DISABLED"
    change(enabled=True, name=None, credits={"remaining": 5}, ratelimits=[])
    assert code(fourth.key) == "VALID"
credits = soon(
    "keys.updateCredits",
    lambda: unkey.keys.update_credits(key_id=fourth.key_id, operation="set", value=7),
)
assert credits is None or credits.data.remaining == 7, credits

# Lists.
listed = soon("apis.listKeys", lambda: pages(unkey.apis.list_keys(api_id=api, limit=2)))
if listed is not None:
    ids = [key.key_id for key in listed]
    assert bare.key_id in ids and fourth.key_id in ids, ids

# Identities.
external = f"globex-{time.time_ns()}"
identity = soon(
    "identities.createIdentity",
    lambda: unkey.identities.create_identity(
        external_id=external,
        meta={"plan": "free"},
        ratelimits=[{"name": "requests", "limit": 10, "duration": 60_000, "auto_apply": True}],
    ),
)
if identity is not None:
    again = lambda: unkey.identities.create_identity(external_id=external)
    fails(errors.ConflictErrorResponse, 409, again)
    found = soon("identities.getIdentity", lambda: unkey.identities.get_identity(identity=external))
    assert found is None or found.data.id == identity.data.identity_id, found
    changed = soon(
        "identities.updateIdentity",
        lambda: unkey.identities.update_identity(identity=external, meta={"plan": "pro"}, ratelimits=[]),
    )
    assert changed is None or changed.data.meta == {"plan": "pro"}, changed
    listed = soon("identities.listIdentities", lambda: pages(unkey.identities.list_identities(limit=1)))
    assert listed is None or any(one.id == identity.data.identity_id for one in listed)
    soon("identities.deleteIdentity", lambda: unkey.identities.delete_identity(identity=external))

# Permissions and roles.
slug = f"reports.{time.time_ns()}"
permission = soon(
    "permissions.createPermission",
    lambda: unkey.permissions.create_permission(name=slug, slug=slug, description="to read reports"),
)
role = soon("permissions.createRole", lambda: unkey.permissions.create_role(name=f"reader-{slug}"))
if permission is not None and role is not None:
    again = lambda: unkey.permissions.create_permission(name=slug, slug=slug)
    fails(errors.ConflictErrorResponse, 409, again)
    got = soon("permissions.getPermission", lambda: unkey.permissions.get_permission(permission=slug))
    assert got is None or got.data.slug == slug, got
    soon(
        "permissions.setRolePermissions",
        lambda: unkey.permissions.set_role_permissions(
            request={"role": role.data.role_id, "permissions": [slug]}
        ),
    )
    soon("permissions.getRole", lambda: unkey.permissions.get_role(role=role.data.role_id))
    soon("keys.addRoles", lambda: unkey.keys.add_roles(key_id=fourth.key_id, roles=[f"reader-{slug}"]))
    soon("permissions.listPermissions", lambda: pages(unkey.permissions.list_permissions(limit=10)))
    soon("permissions.listRoles", lambda: pages(unkey.permissions.list_roles(limit=10)))
added = soon(
    "keys.addPermissions",
    lambda: unkey.keys.add_permissions(key_id=fourth.key_id, permissions=["orders.refund"]),
)
if added is not None:
    assert code(fourth.key, permissions="orders.refund") == "VALID"
    soon(
        "keys.removePermissions",
        lambda: unkey.keys.remove_permissions(key_id=fourth.key_id, permissions=["orders.refund"]),
    )
soon("keys.setPermissions", lambda: unkey.keys.set_permissions(key_id=fourth.key_id, permissions=[]))
soon("keys.setRoles", lambda: unkey.keys.set_roles(key_id=fourth.key_id, roles=[]))

# Limits by themselves.
limited = soon(
    "ratelimit.limit",
    lambda: unkey.ratelimit.limit(namespace="emails", identifier="acme", limit=1, duration=60_000),
)
assert limited is None or limited.data.success, limited

# The end.
unkey.keys.delete_key(key_id=fourth.key_id)
assert code(fourth.key) == "NOT_FOUND"
unkey.apis.delete_api(api_id=api)
assert code(bare.key) == "NOT_FOUND"
print("done")
