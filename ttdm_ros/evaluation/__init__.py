"""Controllers at work, measured: closed loop without ROS, recorded runs, reports, benchmarks."""
