"""The local AWS: MiniStack with the services and resource types that this project needs beside its own.

MiniStack (https://pypi.org/project/ministack/) has no Network Firewall, no SageMaker and not all of the
resource types of the templates. They are added here, inside its process and through its own tables;
nothing of MiniStack is changed on disk.
"""
