"""`python -m data_plane`: serve resolve requests until SIGTERM."""

from data_plane.settings import DataPlaneSettings
from shared.runtime.server import serve
from shared.runtime.service import Service
from shared.runtime.settings import read_settings

if __name__ == "__main__":
    serve("data_plane.composition.app:create_app", Service.DATA_PLANE, read_settings(DataPlaneSettings))
