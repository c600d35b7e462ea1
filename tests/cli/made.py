"""Rows of courses as a file of the source has them."""

HEADER = (
    "course_id,course_title,url,is_paid,price,num_subscribers,num_reviews,num_lectures,level,content_duration,"
    "published_timestamp,subject\n"
)


def row(number: int) -> str:
    """A row that is accepted."""
    return f"{number},Pottery,https://c.example/x,True,20,9,1,3,Beginner Level,4.5 hours,2017-04-06T05:10:57Z,Crafts\n"


FIFTY_ROWS = HEADER + "".join(map(row, range(50)))
