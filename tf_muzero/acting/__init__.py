"""From a trained network to actions in an environment.

In come an agent, its network's weights and a way to choose actions (`modes`);
out comes a policy with a state of its own (`policy`) that is played in many
environments at once (`rollout`), restored from a run (`run_directory`), or
written as a SavedModel that plans inside (`saved_model`).
"""

import importlib.util

if importlib.util.find_spec('tf_agents') is None:
  raise ImportError(
      'TF-Agents is missing, which policies are made with. On Python 3.12 and '
      'later it is installed without what it asks for, which does not exist '
      'there: pip install --no-deps "tf-agents>=0.19,<0.20"')
