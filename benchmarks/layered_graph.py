"""A layered graph as observations: 101,001 datasets and jobs, 300,000 edges, one dataset with 20,000 readers."""

import datetime as dt
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from catalog.keys import DatasetKey, JobKey
from catalog.observations import DatasetObserved, JobObserved, Observed, ShapeObserved
from catalog.openlineage.shape import Shape

SEED = 20_260_101
AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class LayeredGraph:
    """Each job reads `fan_in` datasets of the layer before it and writes one; so many jobs read the hub instead."""

    layers: int = 50
    width: int = 1_000
    fan_in: int = 5
    hub_readers: int = 20_000

    @property
    def hub(self) -> DatasetKey:
        """The dataset that many jobs read."""
        return DatasetKey("postgres://warehouse.example.com:5432", "shop.public.customers")

    def dataset(self, layer: int, number: int) -> DatasetKey:
        """The dataset that a job of the layer writes; layer 0 is raw data."""
        name = f"shop.layer_{layer:02d}.orders_{number:04d}"
        return DatasetKey("postgres://warehouse.example.com:5432", name)

    def job(self, layer: int, number: int) -> JobKey:
        """A job of the layer, from 1 on."""
        return JobKey("airflow-production", f"layer_{layer:02d}.transform_orders_{number:04d}")

    @property
    def nodes(self) -> int:
        """How many datasets and jobs there are."""
        return 1 + self.width * (2 * self.layers + 1)

    @property
    def edges(self) -> int:
        """How many edges there are."""
        return self.layers * self.width * (self.fan_in + 1)

    def observed(self) -> Iterator[Observed]:
        """Give the graph as the state follower would: entities as they are met, then the shape that names them."""
        chance = random.Random(SEED)
        readers = set(chance.sample(range(self.layers * self.width), self.hub_readers))
        yield DatasetObserved(self.hub)
        for number in range(self.width):
            yield DatasetObserved(self.dataset(0, number))
        for layer in range(1, self.layers + 1):
            for number in range(self.width):
                inputs = [self.dataset(layer - 1, i) for i in chance.sample(range(self.width), self.fan_in)]
                if (layer - 1) * self.width + number in readers:
                    inputs[0] = self.hub
                job, output = self.job(layer, number), self.dataset(layer, number)
                yield JobObserved(job)
                yield DatasetObserved(output)
                shape = Shape(tuple(sorted(inputs)), (output,), None)
                yield ShapeObserved(job, AT, uuid.UUID(int=number), shape)
