"""The benchmarks: the suite's daemons beside other servers with the same behaviour.

Starts real processes and looks at them from outside: nothing in here may import a service
or a transport of the suite, and nothing of the suite may import this.
"""
