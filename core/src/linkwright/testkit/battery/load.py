"""Level load: the package is found, passes the checks at the door, and its README tells its options. Needs nothing."""

import importlib_metadata
import pytest

from linkwright import sdk
from linkwright.daemon.discovery import GROUP
from linkwright.errors import DriverFault
from linkwright.testkit import readme
from linkwright.testkit.battery.level import Level


class LoadLevel(Level):
    """What happens before a driver is asked anything."""

    def test_load_entry_point(self) -> None:
        """An installed distribution, and only one, offers the driver under its name."""
        name = self.driver.name
        found = [entry for entry in importlib_metadata.entry_points(group=GROUP) if entry.name == name]
        if not found:
            where = f"{self.driver.__module__}:{self.driver.__qualname__}"
            pytest.fail(
                f'no distribution offers driver {name!r}; add to its pyproject.toml [project.entry-points."{GROUP}"] '
                f'{name} = "{where}", and install it: pip install -e .',
                pytrace=False,
            )
        origins = [entry.dist.name if entry.dist else "?" for entry in found]
        assert len(found) == 1, f"driver {name!r} is offered by {', '.join(origins)}: the daemon would load neither"
        assert found[0].load() is self.driver, (
            f"{origins[0]} offers {found[0].value} as {name!r}, not the class under test"
        )

    def test_load_contract(self) -> None:
        """The class is one that the daemon takes: contract version, name, signatures, options, capabilities."""
        try:
            self.registered()
        except DriverFault as fault:
            pytest.fail(str(fault), pytrace=False)

    def test_load_readme(self) -> None:
        """The section Options of the README names every option that the code accepts, and no other."""
        path = self.readme or readme.beside(type(self))
        assert path is not None, (
            "there is no README.md beside the package's pyproject.toml; say where: readme = Path(…)"
        )
        told, own = readme.options_told(path), _keys(self.driver)
        others = {key for driver in readme.neighbours(self.driver) for key in _keys(driver)}
        endpoints = set(_every_key(sdk.EndpointOptions))  # every driver's, whether told here or not
        left_out, invented = own - told, told - own - others - endpoints
        table = readme.options_table(self.driver.options)
        assert not left_out, f"{path} does not tell of {', '.join(sorted(left_out))}; its section Options has:\n{table}"
        assert not invented, f"{path} tells of {', '.join(sorted(invented))}, which the code does not accept"


def _keys(driver: type[sdk.Driver[object]]) -> set[str]:
    """The options that are the driver's to tell of: those of networks, and of endpoints if it has its own."""
    found = set(_every_key(driver.options))
    if driver.endpoint_options is not sdk.EndpointOptions:
        found |= set(_every_key(driver.endpoint_options))
    return found


def _every_key(options: type) -> list[str]:
    return [key for spec in sdk.specs(options).values() for key in spec.keys]
