"""Resources as clients see them. The API's schema is made of these classes; the command line prints them too."""
