"""The optimal control problem solved exactly and differentiated: what every predicted state error costs the closed loop."""
