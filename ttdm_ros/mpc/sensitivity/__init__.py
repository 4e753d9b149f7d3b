"""The optimal control problem solved exactly and differentiated: what predicted state errors cost the closed loop."""
