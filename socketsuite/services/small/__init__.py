"""The other first services of the Internet, one file each: RFC 863 to 868.

None of them may know another.
"""
