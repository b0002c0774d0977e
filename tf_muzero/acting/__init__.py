"""From a trained network to actions in an environment.

In come an agent, its network's weights and a way to choose actions (`modes`);
out comes a policy with a state of its own (`policy`) that is played in many
environments at once (`rollout`), restored from a run (`run_directory`), or
written as a SavedModel that plans inside (`saved_model`).
"""
