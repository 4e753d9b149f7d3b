"""Rollouts of many models as errors about the recorded motion, in torch.

With the record x_k, u_k, its acceleration a_k = (v_{k+1} - v_k) / dt and ε_k = x̂_k - x_k = (ε_q, ε_v), semi-implicit
Euler gives

    ε_v⁺ = ε_v + dt (a_nominal(x_k + ε_k, u_k) + r_w(x_k + ε_k, u_k) - a_k)
    ε_q⁺ = ε_q + dt (ε_v + ε_v⁺) / 2 + c_k,   c_k = q_k + dt (v_k + v_{k+1}) / 2 - q_{k+1}.

All terms are small, so that single precision is plenty; and a_nominal may be expanded to first order about the record,
a_nominal(x_k) + J_k ε_k, which saves evaluating the arm in every step of the optimiser.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.dynamics.specification import JOINTS, NX
from ttdm_ros.dynamics.torch_form import NetworkStack, nominal_acceleration
from ttdm_ros.training.dataset import Windows


class Rollouts:
    """p-step rollouts from every sample of a data set."""

    def __init__(
        self,
        windows: Windows,
        networks: NetworkStack,
        nominal: NominalBatch,
        *,
        method: Literal["linearised", "exact"] = "linearised",
    ) -> None:
        """Take what to roll out.

        Args:
            windows: n samples.
            networks: M models; only their structure, device and precision matter here.
            nominal: acceleration of the arm; only called with ``exact``.
            method: how the nominal arm is evaluated beside the record.
        """
        self._windows, self._networks, self._arm = windows, networks, nominal
        self._full, self._exact = networks.specification.structure == "full", method == "exact"

    def errors(self, rows: Tensor) -> Tensor:
        """Return ε_1 .. ε_p (M, n, p, 14) of the samples ``rows`` (n,)."""
        networks, dt = self._networks, self._windows.dt
        record = self._windows.part(rows.cpu().numpy())
        v = record.x[:, :, JOINTS:]
        slips = record.x[:, :-1, :JOINTS] - record.x[:, 1:, :JOINTS] + 0.5 * dt * (v[:, :-1] + v[:, 1:])
        lacks = -record.taken if self._full else record.nominal - record.taken
        precise = record.z
        z, lack, drift = (self._tensor(each) for each in (precise, lacks, slips))
        slope = None if self._full or self._exact else self._tensor(record.slope)
        error = z.new_zeros(len(networks), len(rows), NX)
        errors = []
        for k in range(z.shape[1]):
            here = torch.cat((z[:, k, :NX] + error, z[:, k, NX:].expand(len(networks), -1, -1)), dim=-1)
            surplus = networks(here) + lack[:, k]
            if k > 0 and not self._full:
                if slope is not None:
                    surplus = surplus + torch.einsum("nij,mnj->mni", slope[:, k], error)
                else:
                    surplus = surplus + self._exact_change(precise[:, k], record.nominal[:, k], error)
            slip, before = error[..., :JOINTS], error[..., JOINTS:]
            after = before + dt * surplus
            error = torch.cat((slip + 0.5 * dt * (before + after) + drift[:, k], after), dim=-1)
            errors.append(error)
        return torch.stack(errors, dim=2)

    def _exact_change(self, z: np.ndarray, acceleration: np.ndarray, error: Tensor) -> Tensor:
        """a_nominal(x_k + ε, u_k) - a_nominal(x_k, u_k), in double precision (M, n, 7)."""
        recorded = torch.from_numpy(np.ascontiguousarray(z))
        wide = error.double().cpu()
        here = torch.cat((recorded[:, :NX] + wide, recorded[:, NX:].expand(len(wide), -1, -1)), dim=-1)
        change = nominal_acceleration(here, self._arm) - torch.from_numpy(acceleration)
        return change.to(error)

    def _tensor(self, array: np.ndarray) -> Tensor:
        like = self._networks.weights[0]
        return torch.as_tensor(np.ascontiguousarray(array)).to(device=like.device, dtype=like.dtype)
