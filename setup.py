"""Makes the gin files, which stand beside the package, a part of it."""

import setuptools

setuptools.setup(
    packages=[*setuptools.find_packages(include=['tf_muzero*']),
              'tf_muzero.gin'],
    package_dir={'tf_muzero.gin': 'gin'})
