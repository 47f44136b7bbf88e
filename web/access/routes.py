"""`/api/v1/tokens`: made, listed and revoked by administrators."""

import asyncio
import datetime as dt

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from web.access import Permission, require
from web.access.permissions import Role
from web.access.tokens import NAME, Token, TokenStore
from web.values import Instant


class NewToken(BaseModel):
    """The token to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        pattern=f"^{NAME.pattern}$", description="Actor in everything that is done with the token."
    )
    role: Role
    expires: Instant | None = Field(None, description="When it ends; without a zone UTC; default never.")


class TokenMade(TypedDict):
    """A new token; its secret is shown this once."""

    name: str
    role: str
    token: str


class TokenShown(TypedDict):
    """A token without its secret."""

    name: str
    role: str
    createdAt: str | None
    expiresAt: str | None
    revokedAt: str | None
    valid: bool


class TokenList(TypedDict):
    """Every token that was ever made."""

    tokens: list[TokenShown]


def token_members(token: Token) -> TokenShown:
    """Return the token as JSON; its secret is not known any more."""

    def text(time: dt.datetime | None) -> str | None:
        return time.astimezone(dt.UTC).isoformat() if time is not None else None

    return {
        "name": token.name,
        "role": token.role.value,
        "createdAt": text(token.created_at),
        "expiresAt": text(token.expires_at),
        "revokedAt": text(token.revoked_at),
        "valid": token.valid,
    }


def tokens_router(tokens: TokenStore) -> APIRouter:
    """Return the routes about tokens."""
    router = APIRouter(prefix="/api/v1/tokens", tags=["access"])

    @router.post("", status_code=201, response_model=TokenMade)
    async def post_token(request: Request, new: NewToken) -> Response:
        """Make a token; the answer shows its secret, once."""
        require(request, Permission.ADMINISTER)
        secret = await asyncio.to_thread(tokens.create, new.name, new.role, new.expires)
        return JSONResponse({"name": new.name, "role": new.role.value, "token": secret}, status_code=201)

    @router.get("", response_model=TokenList)
    async def get_tokens(request: Request) -> Response:
        """Every token that was ever made, without secrets."""
        require(request, Permission.ADMINISTER)
        found = await asyncio.to_thread(tokens.list)
        return JSONResponse({"tokens": [token_members(token) for token in found]})

    @router.delete("/{name}", status_code=204, response_class=Response)
    async def delete_token(request: Request, name: str) -> Response:
        """Revoke the token; within 5 seconds every server refuses it."""
        require(request, Permission.ADMINISTER)
        await asyncio.to_thread(tokens.revoke, name)
        return Response(status_code=204)

    return router
