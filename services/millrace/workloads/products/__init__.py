"""`products`: marketplace products, segmented by price and rating, by rating and reviews, by discount."""

from typing import Annotated

from millrace.records.contract import Record
from millrace.records.types import Blank, Count, Id, Money, Percent, Rating, RequiredText, Text
from millrace.workloads.base import ClusterModel, Endpoint, Feature, Workload
from millrace.workloads.naming import Naming
from millrace.workloads.products.generator import generate


class Product(Record):
    """One product as listed; prices in rupees. An unknown rating or count (`|`, blank) is null, never zero."""

    product_id: Id
    product_name: RequiredText
    category: Text
    discounted_price: Money
    actual_price: Money
    discount_percentage: Percent
    rating: Annotated[Rating | None, Blank] = None
    rating_count: Annotated[Count | None, Blank] = None
    about_product: Text = ""
    user_id: Text = ""
    user_name: Text = ""
    review_id: Text = ""
    review_title: Text = ""
    review_content: Text = ""
    img_link: Text = ""
    product_link: Text = ""


def make_names(english: list[str], indonesian: list[str]) -> Naming:
    """Names in both languages of the callers, lowest to highest along the model's axis."""
    return lambda k: {"label": english, "label_id": indonesian}


WORKLOAD = Workload(
    name="products",
    description="marketplace products, segmented",
    record=Product,
    identity=("product_id",),
    generate=generate,
    files=("amazon.csv",),
    watched=("discounted_price", "actual_price", "discount_percentage", "rating", "rating_count"),
    greeting={"message": "Big Data API is running."},
    models=(
        # Prices run from 39 to 77,990 and counts from 2 to 426,973; log1p for the same reason as in `courses`.
        ClusterModel(
            "price_rating",
            (Feature("discounted_price", "log1p"), Feature("rating")),
            (3,),
            {"discounted_price": 1, "rating": -1},
            make_names(
                ["Low price, high rating", "Medium price, medium rating", "High price, low rating"],
                ["Harga Rendah, Rating Tinggi", "Harga Sedang, Rating Sedang", "Harga Tinggi, Rating Rendah"],
            ),
        ),
        ClusterModel(
            "rating_count",
            (Feature("rating"), Feature("rating_count", "log1p")),
            (3,),
            {"rating": 1, "rating_count": 1},
            make_names(
                ["Low rating, few reviews", "Medium rating, medium reviews", "High rating, many reviews"],
                [
                    "Rating Rendah, Sedikit Ulasan",
                    "Rating Sedang, Jumlah Ulasan Sedang",
                    "Rating Tinggi, Banyak Ulasan",
                ],
            ),
        ),
        ClusterModel(
            "discount",
            (Feature("discount_percentage"),),
            (3,),
            {"discount_percentage": 1},
            make_names(
                ["Low discount", "Medium discount", "High discount"],
                ["Diskon Rendah", "Diskon Sedang", "Diskon Tinggi"],
            ),
        ),
    ),
    endpoints=(
        Endpoint("/api/cluster_products_by_price_rating", "price_rating", many=True),
        Endpoint("/api/cluster_products_by_rating_count", "rating_count", many=True),
        Endpoint("/api/cluster_products_by_discount", "discount", many=True),
    ),
)
