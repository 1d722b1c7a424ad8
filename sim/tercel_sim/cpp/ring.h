// A queue of fixed capacity: nothing is allocated while the clock runs.
#pragma once

#include <cstddef>
#include <vector>

namespace tercel {

template <class T>
class Ring {
public:
    void allocate(size_t capacity) { items_.resize(capacity); }
    void clear() { first_ = count_ = 0; }

    size_t size() const { return count_; }
    size_t capacity() const { return items_.size(); }
    bool empty() const { return count_ == 0; }
    bool full() const { return count_ == items_.size(); }

    // The item at `index`, counted from the front.
    T& operator[](size_t index) { return items_[slot(index)]; }
    T& front() { return items_[first_]; }
    // The place of that item, for storage parallel to the ring.
    size_t slot(size_t index) const {
        const size_t place = first_ + index;
        return place < items_.size() ? place : place - items_.size();
    }

    T& push() {
        T& item = (*this)[count_++];
        item = T();
        return item;
    }
    void pop() {
        first_ = slot(1);
        --count_;
    }

private:
    std::vector<T> items_;
    size_t first_ = 0;
    size_t count_ = 0;
};

}  // namespace tercel
