"""What stands on receipts, written by hand: goods, kinds of shops, closing lines."""

from __future__ import annotations

ITEMS: tuple[str, ...] = (
    "Milk 1L", "Whole milk 2L", "Bread", "Sourdough loaf", "Bagels 4pk", "Butter", "Margarine", "Eggs x12", "Eggs x6",
    "Cheddar", "Mozzarella", "Yoghurt", "Greek yoghurt", "Bananas", "Apples 1kg", "Pears", "Oranges", "Lemons",
    "Grapes", "Avocado", "Tomatoes", "Cherry tomatoes", "Cucumber", "Lettuce", "Spinach", "Carrots", "Onions",
    "Garlic", "Potatoes 2kg", "Broccoli", "Mushrooms", "Chicken breast", "Minced beef", "Bacon", "Ham",
    "Salmon fillet", "Tuna can", "Pasta 500g", "Rice 1kg", "Flour", "Sugar", "Salt", "Pepper", "Olive oil", "Ketchup",
    "Mustard", "Mayonnaise", "Soy sauce", "Honey", "Jam", "Peanut butter", "Cornflakes", "Oats", "Biscuits",
    "Chocolate bar", "Crisps", "Nuts", "Coffee beans", "Instant coffee", "Tea bags", "Orange juice", "Apple juice",
    "Cola 1.5L", "Lemonade", "Water 6x", "Beer 4x", "Red wine", "White wine", "Toilet paper", "Kitchen roll", "Soap",
    "Shampoo", "Toothpaste", "Toothbrush", "Detergent", "Bin bags", "Batteries AA", "Light bulb", "Newspaper",
    "Magazine", "Greeting card", "Stamps", "Pen", "Notebook", "Espresso", "Cappuccino", "Latte", "Flat white",
    "Hot chocolate", "Croissant", "Muffin", "Sandwich", "Bagel w/ cream", "Soup", "Burger", "Fries", "Caesar salad",
    "Margherita", "Pepperoni", "Tiramisu", "Ice cream", "Club soda", "Lager 0.5", "House red", "Steak",
    "Fish & chips", "Curry", "Noodles", "Unleaded 95", "Diesel", "Car wash", "Screws 50pk", "Paint white", "Brush",
    "Hammer", "Garden hose", "Plant pot", "T-shirt", "Socks", "Jeans", "Scarf", "Carrier bag", "Deposit",
    "Parking 2h", "Bus ticket", "Haircut", "Dry cleaning", "Book", "Puzzle", "Phone charger", "USB cable",
    "Headphones",
)  # fmt: skip

SHOPS: tuple[str, ...] = (
    "MARKET", "SUPERMARKET", "CAFE", "GROCERS", "FOODS", "PHARMACY", "DINER", "HARDWARE", "FUEL", "BAKERY",
    "RESTAURANT", "STORES", "DELI", "BOOKS",
)  # fmt: skip

CLOSINGS: tuple[str, ...] = (
    "THANK YOU", "THANK YOU FOR SHOPPING", "PLEASE COME AGAIN", "HAVE A NICE DAY", "KEEP YOUR RECEIPT",
    "CUSTOMER COPY", "NO REFUNDS WITHOUT RECEIPT", "RETURNS WITHIN 30 DAYS", "YOU WERE SERVED BY", "VISIT US ONLINE",
    "TIPS ARE WELCOME", "JOIN OUR LOYALTY CLUB", "GOODBYE", "*** PAID ***", "APPROVED",
)  # fmt: skip
