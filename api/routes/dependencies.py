"""What a route is given."""

from typing import Annotated

from fastapi import Depends, Request

from api.services import Services


def _services(request: Request) -> Services:
    services = request.app.state.services
    if not isinstance(services, Services):
        raise TypeError("the application's lifespan has not begun")
    return services


GivenServices = Annotated[Services, Depends(_services)]
